// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensorqueue.h"

#include <algorithm>
#include <utility>

namespace nv12slot::gst {

bool TensorQueue::has_input_of(GstPad* pad) const {
  return std::any_of(inputs_.begin(), inputs_.end(),
                     [&](const TensorInput& input) { return input.pad == pad; });
}

std::optional<TensorInput> TensorQueue::remove_input_of(GstPad* pad) {
  const auto found = std::find_if(inputs_.begin(), inputs_.end(),
                                  [&](const TensorInput& input) { return input.pad == pad; });
  if (found == inputs_.end()) return {};
  std::optional<TensorInput> input(std::move(*found));
  inputs_.erase(found);
  return input;
}

void TensorQueue::add_pad(GstPad* pad) {
  MutexLock lock(mutex_);
  pads_.insert(pad);
}

void TensorQueue::remove_pad(GstPad* pad) {
  std::optional<TensorInput> dropped;
  MutexLock lock(mutex_);
  pads_.erase(pad);
  flushing_.erase(pad);
  ended_.erase(pad);
  dropped = remove_input_of(pad);
  changed_.notify_all();
  lock.unlock();
}

bool TensorQueue::push(TensorInput input) {
  GstPad* const pad = input.pad;
  MutexLock lock(mutex_);
  const auto is_refused = [&]() NV12SLOT_REQUIRES(mutex_) {
    return stopped_ || !pads_.contains(pad) || flushing_.contains(pad) || ended_.contains(pad);
  };
  while (!is_refused() && has_input_of(pad)) changed_.wait(lock);
  if (is_refused()) {
    lock.unlock();
    return false;
  }
  inputs_.push_back(std::move(input));
  changed_.notify_all();
  return true;
}

void TensorQueue::set_flushing(GstPad* pad, bool flushing) {
  std::optional<TensorInput> dropped;
  MutexLock lock(mutex_);
  if (flushing) {
    flushing_.insert(pad);
    dropped = remove_input_of(pad);
  } else {
    flushing_.erase(pad);
    ended_.erase(pad);
  }
  changed_.notify_all();
  lock.unlock();
}

void TensorQueue::end(GstPad* pad) {
  MutexLock lock(mutex_);
  ended_.insert(pad);
  changed_.notify_all();
}

TensorQueue::Taken TensorQueue::pop(std::optional<TimePoint> deadline) {
  MutexLock lock(mutex_);
  while (!stopped_ && inputs_.empty()) {
    if (!pads_.empty() && ended_.size() == pads_.size()) return {{}, true};
    if (!deadline) {
      changed_.wait(lock);
    } else if (clock_.now() < *deadline) {
      clock_.wait_until(changed_, lock, *deadline);
    } else {
      return {};
    }
  }
  if (stopped_) return {};
  Taken taken{std::move(inputs_.front()), false};
  inputs_.pop_front();
  changed_.notify_all();
  return taken;
}

void TensorQueue::set_stopped(bool stopped) {
  std::deque<TensorInput> dropped;
  MutexLock lock(mutex_);
  stopped_ = stopped;
  if (stopped) {
    dropped.swap(inputs_);
  } else {
    ended_.clear();
    flushing_.clear();
  }
  changed_.notify_all();
  lock.unlock();
}

}  // namespace nv12slot::gst
