// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <random>

#include "nv12slot/clock.h"

namespace nv12slot::camera {

/// How long a camera waits before each try to come back: not at all before the first one, then a
/// random time between `min` and min * 2^(failures - 1), at most `max`. Random, so that many
/// cameras that went together do not come back together ("full jitter", M. Brooker, "Exponential
/// Backoff And Jitter", 2015). Not thread-safe: one for each camera.
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  /// `failures`: tries that failed since the camera was healthy, the one that just did included.
  [[nodiscard]] Duration wait(unsigned failures, Duration min, Duration max);

 private:
  std::mt19937_64 random_;
};

}  // namespace nv12slot::camera
