// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>

#include "nv12slot/clock.h"
#include "nv12slot/quota.h"
#include "nv12slot/result.h"

namespace nv12slot {

struct SourceState;

/// Says that a frame of a source is under way: from before its slot is acquired until the frame is
/// released by its last reader (FrameRegistry::attach takes it over). Move-only.
class InFlight {
 public:
  InFlight(InFlight&& other) noexcept = default;
  InFlight& operator=(InFlight&& other) noexcept;
  ~InFlight();

  /// The name of the source that gave it. Precondition: not moved from.
  [[nodiscard]] const std::string& source_name() const;

 private:
  friend class Source;
  friend class FrameRegistry;
  explicit InFlight(std::shared_ptr<SourceState> state) : state_(std::move(state)) {}

  std::shared_ptr<SourceState> state_;  // empty once moved from
};

/// Frames and callbacks of one source now, and totals.
struct SourceStats {
  unsigned in_flight = 0;      ///< frames under way or held by readers
  std::uint64_t attached = 0;  ///< frames handed to the registry
  std::uint64_t released = 0;  ///< frames whose last reference is gone
  std::uint64_t refused = 0;   ///< frames refused because the source was going
  std::uint64_t evicted = 0;   ///< frames taken from holders by id because of their age
};

/// Where frames come from: a camera. Owned by whoever feeds the frames (an element). Destroying
/// it closes it; its frames stay readable. Any thread.
class Source {
 public:
  /// A new source; several may have the same name, one after the other or at once.
  Source(Clock& clock, std::string name, unsigned quota = 0);
  /// One that shares a quota: a camera that comes back while frames of its last life are held.
  Source(Clock& clock, std::string name, std::shared_ptr<Quota> quota);
  ~Source();  ///< close()
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  [[nodiscard]] const std::string& name() const;
  [[nodiscard]] const std::shared_ptr<Quota>& quota() const;

  /// The guard of one frame; kSourceClosed once close() or refuse() was called.
  [[nodiscard]] Result<InFlight> begin_frame();

  /// Takes no new frames from now on.
  void refuse();

  /// Waits until nothing of this source is in flight: no frame under way, none held by a reader.
  /// False at the deadline. Does not refuse new frames by itself.
  [[nodiscard]] bool wait_until_idle(TimePoint deadline);

  /// Refuses new frames and ends all callbacks: waits for those that run on other threads now, and
  /// none fires once it returns. Frames stay readable. May be called more than once, and from a
  /// callback, where it waits neither for that one nor for others that are in close() too: each
  /// would wait for the other.
  void close();

  [[nodiscard]] SourceStats stats() const;

 private:
  friend class FrameRegistry;
  std::shared_ptr<SourceState> state_;
};

}  // namespace nv12slot
