// SPDX-License-Identifier: LGPL-2.1-or-later
#include "frame_reaper.h"

#include <algorithm>
#include <map>
#include <utility>

#include "nv12slot/thread.h"

namespace nv12slot::decode {

FrameReaper& FrameReaper::of(const Device& device) {
  static auto& mutex = *new Mutex;
  static auto& reapers = *new std::map<Domain, std::unique_ptr<FrameReaper>>;
  MutexLock lock(mutex);
  std::unique_ptr<FrameReaper>& reaper = reapers[device.domain()];
  if (reaper == nullptr) reaper = std::make_unique<FrameReaper>(steady_clock());
  return *reaper;
}

FrameReaper::~FrameReaper() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.notify_all();
  if (thread.joinable()) thread.join();
}

void FrameReaper::give(const std::shared_ptr<SurfaceBacklog>& backlog, FramePtr frame,
                       std::optional<Fence> read) {
  const std::size_t waiting = backlog->add(std::move(frame), std::move(read));
  if (waiting == 0) return;
  bool wake = false;
  {
    MutexLock lock(mutex_);
    const bool known = std::any_of(waiting_.begin(), waiting_.end(), [&](const auto& other) {
      return !other.owner_before(backlog) && !backlog.owner_before(other);
    });
    wake = waiting_.empty() || waiting >= kUrgent;
    if (!known) waiting_.push_back(backlog);
    if (waiting >= kUrgent) urgent_ = true;
    if (!thread_.joinable() && !stopping_) {
      // Where no thread is left, the full backlog gives frames back by itself, and the next frame
      // tries again.
      static_cast<void>(start_thread(thread_, ThreadName::kFrames, [this] { run(); }));
    }
  }
  if (wake) changed_.notify_all();
}

void FrameReaper::run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const TimePoint due = clock_.now() + kInterval;
    while (!stopping_ && !urgent_ && clock_.now() < due) clock_.wait_until(changed_, lock, due);
    urgent_ = false;
    std::vector<std::weak_ptr<SurfaceBacklog>> backlogs = std::exchange(waiting_, {});
    lock.unlock();
    std::erase_if(backlogs, [](const std::weak_ptr<SurfaceBacklog>& weak) {
      const std::shared_ptr<SurfaceBacklog> backlog = weak.lock();
      return backlog == nullptr || backlog->reap() == 0;
    });
    lock.lock();
    // Those that came meanwhile may be among them twice, which does no harm.
    waiting_.insert(waiting_.end(), backlogs.begin(), backlogs.end());
  }
}

}  // namespace nv12slot::decode
