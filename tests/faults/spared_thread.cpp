// SPDX-License-Identifier: LGPL-2.1-or-later
#include "spared_thread.h"

#include <unistd.h>

#include <utility>

#include "standin_control.h"

namespace nv12slot::gst {

SparedThread::SparedThread() : thread_([this] { loop(); }) {}

SparedThread::~SparedThread() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void SparedThread::run(std::function<void()> work) {
  MutexLock lock(mutex_);
  work_ = std::move(work);
  is_done_ = false;
  changed_.notify_all();
  while (!is_done_) changed_.wait(lock);
}

void SparedThread::loop() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!work_) {
      changed_.wait(lock);
      continue;
    }
    const std::function<void()> work = std::exchange(work_, nullptr);
    lock.unlock();
    // Anew each time, as a reset forgets it.
    standin::control().spare(gettid());
    work();
    lock.lock();
    is_done_ = true;
    changed_.notify_all();
  }
}

}  // namespace nv12slot::gst
