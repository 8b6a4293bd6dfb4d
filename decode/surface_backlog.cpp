// SPDX-License-Identifier: LGPL-2.1-or-later
#include "surface_backlog.h"

#include <utility>

#include "nv12slot/log.h"

namespace nv12slot::decode {
namespace {

/// Blocks until `fence` is complete; a failed device does not read any more.
void wait_for(const Fence& fence, Device& device) {
  const Result<StreamHandle> stream = device.take_stream();
  if (!stream) return;
  Status status = fence.make_wait(stream.value());
  if (status) status = device.synchronize(stream.value());
  if (!status && status.code() != Errc::kExiting) {
    log(LogLevel::kError, "DEVICE " + status.error().message);
  }
  device.give_stream(stream.value());
}

}  // namespace

SurfaceBacklog::~SurfaceBacklog() {
  reap(true);
}

std::optional<SurfaceBacklog::Entry> SurfaceBacklog::take_oldest() {
  MutexLock lock(mutex_);
  if (entries_.empty()) return std::nullopt;
  Entry entry = std::move(entries_.front());
  entries_.pop_front();
  ++in_hands_;
  return entry;
}

void SurfaceBacklog::give_back(Entry entry) {
  const Status ran = device_.run([&] { entry.frame.reset(); });
  // Once exit() has begun the driver must not hear of it.
  if (!ran) static_cast<void>(entry.frame.release());
  MutexLock lock(mutex_);
  --in_hands_;
  changed_.notify_all();
}

std::size_t SurfaceBacklog::put_back(Entry entry) {
  MutexLock lock(mutex_);
  entries_.push_front(std::move(entry));
  --in_hands_;
  changed_.notify_all();
  return entries_.size();
}

bool SurfaceBacklog::wait_for_others() {
  MutexLock lock(mutex_);
  while (in_hands_ != 0) changed_.wait(lock);
  return !entries_.empty();
}

std::size_t SurfaceBacklog::add(FramePtr frame, std::optional<Fence> read) {
  std::size_t waiting = 0;
  {
    MutexLock lock(mutex_);
    entries_.push_back({std::move(frame), std::move(read)});
    waiting = entries_.size();
  }
  while (waiting > kMost) {
    std::optional<Entry> oldest = take_oldest();
    if (!oldest) break;  // the reaper was faster
    if (oldest->read) {
      const Result<bool> complete = oldest->read->is_complete();
      if (complete.ok() && !complete.value()) wait_for(*oldest->read, device_);
    }
    give_back(std::move(*oldest));
    waiting = size();
  }
  return waiting;
}

std::size_t SurfaceBacklog::reap(bool wait) {
  do {
    while (std::optional<Entry> oldest = take_oldest()) {
      if (oldest->read) {
        const Result<bool> complete = oldest->read->is_complete();
        if (complete.ok() && !complete.value()) {
          if (!wait) return put_back(std::move(*oldest));
          wait_for(*oldest->read, device_);
        }
      }
      give_back(std::move(*oldest));
    }
  } while (wait && wait_for_others());
  return 0;
}

std::size_t SurfaceBacklog::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace nv12slot::decode
