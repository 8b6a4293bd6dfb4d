// SPDX-License-Identifier: LGPL-2.1-or-later
#include "encodedqueue.h"

#include <utility>

namespace nv12slot::gst {

void EncodedQueue::begin(std::uint64_t connection) {
  MutexLock lock(mutex_);
  connection_ = connection;
  changed_.notify_all();
}

void EncodedQueue::end(Item::Kind kind) {
  MutexLock lock(mutex_);
  connection_.reset();
  changed_.notify_all();  // a connection may wait in push()
  // One is enough: a camera that fails for days while downstream is paused must not fill memory.
  if (!items_.empty() && items_.back().kind == kind && items_.back().connection == 0) return;
  Item item;
  item.kind = kind;
  items_.push_back(std::move(item));
  changed_.notify_all();
}

void EncodedQueue::clear() {
  std::deque<Item> items;  // freed without the lock
  MutexLock lock(mutex_);
  connection_.reset();
  items.swap(items_);
  changed_.notify_all();
  lock.unlock();
}

bool EncodedQueue::push(Item item) {
  MutexLock lock(mutex_);
  if (connection_ == item.connection && items_.size() >= kMost) {
    backlog_.is_held_back = true;
    while (connection_ == item.connection && items_.size() >= kMost) changed_.wait(lock);
    backlog_ = {false, steady_clock().now()};
  }
  if (connection_ != item.connection) return false;
  items_.push_back(std::move(item));
  changed_.notify_all();
  return true;
}

EncodedQueue::Backlog EncodedQueue::backlog() {
  MutexLock lock(mutex_);
  return backlog_;
}

std::optional<EncodedQueue::Item> EncodedQueue::pop() {
  MutexLock lock(mutex_);
  while (!interrupted_ && items_.empty()) changed_.wait(lock);
  if (interrupted_) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  changed_.notify_all();
  return item;
}

void EncodedQueue::interrupt(bool on) {
  MutexLock lock(mutex_);
  interrupted_ = on;
  changed_.notify_all();
}

}  // namespace nv12slot::gst
