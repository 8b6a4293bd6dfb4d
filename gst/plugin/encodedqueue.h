// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <deque>
#include <optional>

#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"
#include "raii.h"

namespace nv12slot::gst {

/// Encoded frames on their way from a camera's connections, which come and go, to its decoder,
/// which stays. Short, as it is no jitter buffer: it lets a connection be given up while its thread
/// is anywhere, and the decoder's thread go on waiting.
///
/// Any thread; one reader. One mutex, a leaf.
class EncodedQueue {
 public:
  struct Item {
    enum class Kind {
      kFrame,
      kOutage,  ///< nothing more comes until another connection gives a frame; if it is of a
                ///< connection (not 0), the end of that one's stream
      kEnd,     ///< nothing more comes
    };
    Kind kind = Kind::kFrame;
    std::uint64_t connection = 0;
    BufferPtr buffer;   ///< with times of its connection's own, if any
    CapsPtr caps;       ///< of the buffer
    TimePoint arrival;  ///< of the buffer
  };

  /// From here on frames of `connection` are taken, and of no other.
  void begin(std::uint64_t connection);
  /// Nothing is taken any more; what is here stays, and `kind` comes after it.
  void end(Item::Kind kind);
  /// Forgets everything, as before the first begin().
  void clear();

  /// Waits while the queue is full. False if the item's connection is not the one to be heard.
  [[nodiscard]] bool push(Item item);
  /// Whether a connection waits in push() now, and until when one did.
  struct Backlog {
    bool is_held_back = false;
    std::optional<TimePoint> was_held_back;
  };
  [[nodiscard]] Backlog backlog();
  /// Waits for an item; none once interrupted.
  [[nodiscard]] std::optional<Item> pop();
  /// While on, pop() returns at once.
  void interrupt(bool on);

 private:
  static constexpr std::size_t kMost = 16;  // frames

  Mutex mutex_;
  CondVar changed_;
  std::deque<Item> items_ NV12SLOT_GUARDED_BY(mutex_);
  std::optional<std::uint64_t> connection_ NV12SLOT_GUARDED_BY(mutex_);
  Backlog backlog_ NV12SLOT_GUARDED_BY(mutex_);
  bool interrupted_ NV12SLOT_GUARDED_BY(mutex_) = false;
};

}  // namespace nv12slot::gst
