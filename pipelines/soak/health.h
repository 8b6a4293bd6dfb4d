// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "fault.h"
#include "nv12slot/mutex.h"

namespace soak {

/// Whether one camera is well, told by its frames alone and not by what the element says of itself.
/// A fault is over with the first of a row of good frames that goes on for kSettle without a gap.
/// Outside of faults every gap between two frames counts. Any thread.
///
/// ```
///  frames   | | | |        |   x x |  | | | | | | | |
///  fault          ^begin            ^lift
///                                     ^recovered   ^known, kSettle later
/// ```
class Health {
 public:
  static constexpr Seconds kSettle = 1;

  /// What is worth knowing of the time outside of faults.
  struct Gaps {
    Seconds longest = 0, longest_at = 0;
    unsigned over_limit = 0;      ///< gaps longer than the limit
    std::uint64_t corrupted = 0;  ///< frames that were marked as damaged
  };

  /// The camera is being made: waiting for its first frame is like waiting for the end of a fault.
  explicit Health(Seconds gap_limit, Seconds now = 0);

  /// A frame came. `connection` numbers the connection it came through.
  void frame(Seconds now, bool good, unsigned connection) NV12SLOT_EXCLUDES(mutex_);

  /// A fault begins, and has not recovered before frames come through connection number
  /// `connection` or a later one. One at a time.
  void begin_fault(Seconds now, unsigned connection) NV12SLOT_EXCLUDES(mutex_);
  /// From now on the camera could be well again.
  void lift_fault(Seconds now) NV12SLOT_EXCLUDES(mutex_);

  /// When the last fault (at first: being made) was over; nothing while it is not.
  [[nodiscard]] std::optional<Seconds> recovered() const NV12SLOT_EXCLUDES(mutex_);

  /// Begins to count gaps: what came before was warming up.
  void start_counting(Seconds now) NV12SLOT_EXCLUDES(mutex_);
  /// The run ends: the time since the last frame is a gap too.
  void finish(Seconds now) NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] Gaps gaps() const NV12SLOT_EXCLUDES(mutex_);

 private:
  void note_gap(Seconds from, Seconds to) NV12SLOT_REQUIRES(mutex_);

  const Seconds gap_limit_;
  mutable nv12slot::Mutex mutex_;
  bool faulted_ NV12SLOT_GUARDED_BY(mutex_) = true;
  unsigned connection_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  std::optional<Seconds> lifted_ NV12SLOT_GUARDED_BY(mutex_);
  std::optional<Seconds> row_since_ NV12SLOT_GUARDED_BY(mutex_);  // of good frames
  std::optional<Seconds> recovered_ NV12SLOT_GUARDED_BY(mutex_);
  std::optional<Seconds> last_frame_ NV12SLOT_GUARDED_BY(mutex_);
  std::optional<Seconds> counting_since_ NV12SLOT_GUARDED_BY(mutex_);
  Gaps gaps_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace soak
