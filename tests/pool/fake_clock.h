// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "nv12slot/clock.h"

namespace nv12slot {

/// Time that moves only when a test says so. Any thread.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Duration(now_ns_.load())); }

  /// Returns for a reason only, as a real wait mostly does: code that waits for the wrong thing
  /// hangs. Waits without a time-out of its own: one that ends while somebody notifies would lose
  /// the notification.
  void wait_until(CondVar& cond, MutexLock& lock, TimePoint until) override {
    const Waiter waiter{&cond, until};
    {
      MutexLock own(mutex_);
      waiters_.push_back(&waiter);
    }
    if (now() < until) cond.wait(lock);
    MutexLock own(mutex_);
    std::erase(waiters_, &waiter);
    ++waits_;
  }

  /// Returns when every wait that is over by now has ended. The caller holds no lock that a waiter
  /// needs.
  void advance(Duration by) NV12SLOT_EXCLUDES(mutex_) {
    now_ns_.fetch_add(by.count());
    while (wake_those_that_are_over()) std::this_thread::yield();
  }

  /// Returns once a thread is inside wait_until() in the sense that it blocks: it was seen to come
  /// round once more after this call began, or is in the wait now.
  void wait_for_waiter() const NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const unsigned seen = waits_;
    while (waiters_.empty() && waits_ == seen) {
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
  }

 private:
  struct Waiter {
    CondVar* cond;
    TimePoint until;
  };

  // Again and again: a waiter may be between its look at the time and its wait.
  bool wake_those_that_are_over() NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    bool any = false;
    for (const Waiter* waiter : waiters_) {
      if (waiter->until > now()) continue;
      waiter->cond->notify_all();
      any = true;
    }
    return any;
  }

  // Not zero, so that "long ago" can be expressed.
  std::atomic<Duration::rep> now_ns_{Duration(std::chrono::hours(1)).count()};
  mutable Mutex mutex_;  // inside the lock of whoever waits
  std::vector<const Waiter*> waiters_ NV12SLOT_GUARDED_BY(mutex_);
  unsigned waits_ NV12SLOT_GUARDED_BY(mutex_) = 0;
};

}  // namespace nv12slot
