// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/reaper.h"

#include <atomic>
#include <memory>
#include <utility>

#include "nv12slot/thread.h"

namespace nv12slot {

Reaper::~Reaper() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.notify_all();
  if (thread.joinable()) {
    thread.join();
  } else {
    run();  // what was posted when no thread could be had
  }
}

void Reaper::post(std::function<void()> task) {
  {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    // Where the process has as many threads as it may, the next post() tries again.
    if (!thread_.joinable() && !stopping_) {
      static_cast<void>(start_thread(thread_, ThreadName::kReaper, [this] { run(); }));
    }
  }
  changed_.notify_all();
}

bool Reaper::drain(Clock& clock, TimePoint deadline) {
  // Tasks run in order: when a task of our own has run, so has everything before it.
  auto reached = std::make_shared<std::atomic<bool>>(false);
  {
    MutexLock lock(mutex_);
    if (tasks_.empty() && !running_task_) return true;
  }
  post([reached] { reached->store(true); });
  MutexLock lock(mutex_);
  while (!reached->load()) {
    if (clock.now() >= deadline) return false;
    clock.wait_until(changed_, lock, deadline);
  }
  return true;
}

void Reaper::run() {
  MutexLock lock(mutex_);
  while (true) {
    if (!tasks_.empty()) {
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      running_task_ = true;
      lock.unlock();
      task();
      task = nullptr;  // what it captured is destroyed here, without the lock
      lock.lock();
      running_task_ = false;
      changed_.notify_all();
    } else if (stopping_) {
      return;
    } else {
      changed_.wait(lock);
    }
  }
}

}  // namespace nv12slot
