// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>

#include "nv12slot/mutex.h"

namespace nv12slot {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// Where the pool and the registry take time from, so that tests own it. Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const = 0;

  /// Waits on `cond` until it is notified or now() >= `until`, whichever is first; may also return
  /// without either, so callers loop. `lock` is held on entry and on return.
  virtual void wait_until(CondVar& cond, MutexLock& lock, TimePoint until) = 0;
};

/// std::chrono::steady_clock; one for the process, never destroyed.
[[nodiscard]] Clock& steady_clock();

}  // namespace nv12slot
