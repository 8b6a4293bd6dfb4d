// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>

#include "nv12slot/clock.h"

namespace nv12slot::camera {

/// Makes a camera's timestamps the times at which its frames were current here, by when they
/// arrived. A frame cannot come before it was taken, so the frames with the least delay tell how
/// the two clocks stand; those that come late, as after a stall, keep their distance to the others.
///
/// Follows a camera whose clock is off (by 500 ppm at most), whose timestamps jump, and one that
/// sends a group of pictures in a burst at the start. (RTP jitter buffers take the packets of a
/// burst for the present, and run ahead for minutes.)
///
/// Both times are of clocks of their own, in ns. Not thread-safe: one for each connection.
class StreamTime {
 public:
  /// Nothing of this connection comes out earlier than `not_before`.
  explicit StreamTime(Duration not_before = Duration::zero()) : not_before_(not_before) {}

  /// The time of a frame with `timestamp`, if it has one, that came at `arrival`.
  [[nodiscard]] Duration map(std::optional<Duration> timestamp, Duration arrival);
  /// The same shift for another timestamp of that frame.
  [[nodiscard]] Duration shift(Duration timestamp) const { return timestamp + offset_; }

 private:
  static constexpr Duration kWindow = std::chrono::seconds(2);
  /// Whatever comes later than this for a whole window is a jump of the timestamps.
  static constexpr Duration kJump = std::chrono::seconds(1);
  static constexpr Duration kMostDrift = kWindow / 2000;

  Duration not_before_;
  bool has_begun_ = false;
  Duration offset_{};  // from the camera's time to ours
  Duration window_began_{}, least_delay_{};
};

}  // namespace nv12slot::camera
