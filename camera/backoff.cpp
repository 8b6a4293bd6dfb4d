// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backoff.h"

#include <algorithm>

namespace nv12slot::camera {

Duration Backoff::wait(unsigned failures, Duration min, Duration max) {
  if (failures <= 1) return Duration::zero();
  Duration most = min;
  for (unsigned i = 1; i < failures && most < max; ++i) most += std::min(most, max - most);
  most = std::max(min, std::min(most, max));
  return Duration(std::uniform_int_distribution<Duration::rep>(min.count(), most.count())(random_));
}

}  // namespace nv12slot::camera
