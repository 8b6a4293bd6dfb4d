// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "nv12slot/clock.h"

namespace nv12slot {

/// Time that moves only when a test says so. Any thread.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Duration(now_ns_.load())); }

  /// Looks at the fake time every millisecond of real time, so that advance() needs to notify
  /// nobody and takes no lock. Returns for a reason only, as a real wait mostly does: code that
  /// waits for the wrong thing hangs.
  void wait_until(CondVar& cond, MutexLock& lock, TimePoint until) override {
    waiters_.fetch_add(1);
    while (now() < until &&
           cond.wait_for(lock, std::chrono::milliseconds(1)) == std::cv_status::timeout) {
    }
    waiters_.fetch_sub(1);
    waits_.fetch_add(1);
  }

  void advance(Duration by) { now_ns_.fetch_add(by.count()); }

  /// Returns once a thread is inside wait_until() in the sense that it blocks: it was seen to come
  /// round once more after this call began, or is in the wait now.
  void wait_for_waiter() const {
    const unsigned seen = waits_.load();
    while (waiters_.load() == 0 && waits_.load() == seen) std::this_thread::yield();
  }

 private:
  // Not zero, so that "long ago" can be expressed.
  std::atomic<Duration::rep> now_ns_{Duration(std::chrono::hours(1)).count()};
  std::atomic<unsigned> waiters_{0};
  std::atomic<unsigned> waits_{0};
};

}  // namespace nv12slot
