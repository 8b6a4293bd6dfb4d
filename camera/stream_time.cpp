// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_time.h"

#include <algorithm>

namespace nv12slot::camera {

Duration StreamTime::map(std::optional<Duration> timestamp, Duration arrival) {
  if (!timestamp) return std::max(arrival, not_before_);
  if (!has_begun_) {
    has_begun_ = true;
    offset_ = arrival - *timestamp;
    window_began_ = arrival;
    least_delay_ = Duration::zero();
  }
  Duration delay = arrival - (*timestamp + offset_);
  if (delay < Duration::zero()) {
    offset_ += delay;
    delay = Duration::zero();
  }
  least_delay_ = std::min(least_delay_, delay);
  if (arrival - window_began_ >= kWindow) {
    offset_ += least_delay_ > kJump ? least_delay_ : std::min(least_delay_, kMostDrift);
    window_began_ = arrival;
    least_delay_ = Duration::max();
  }
  return std::max(*timestamp + offset_, not_before_);
}

}  // namespace nv12slot::camera
