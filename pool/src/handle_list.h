// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "nv12slot/mutex.h"

namespace nv12slot {

/// Handles of a driver's that wait for their next use. Any thread; its lock is a leaf.
class HandleList {
 public:
  /// nullptr when there is none.
  [[nodiscard]] void* take() NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (handles_.empty()) return nullptr;
    void* handle = handles_.back();
    handles_.pop_back();
    return handle;
  }
  void give(void* handle) NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    handles_.push_back(handle);
  }

 private:
  Mutex mutex_;
  std::vector<void*> handles_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace nv12slot
