// SPDX-License-Identifier: LGPL-2.1-or-later
#include "offeredpools.h"

#include <utility>

namespace nv12slot::gst {

std::shared_ptr<PoolControl> OfferedPools::offer(std::shared_ptr<Quota> quota) {
  auto control = std::make_shared<PoolControl>(pool_, std::move(quota));
  control->spills = true;
  MutexLock lock(mutex_);
  offered_.push_back(control);
  apply();
  return control;
}

void OfferedPools::set_flushing(bool flushing) {
  MutexLock lock(mutex_);
  is_flushing_ = flushing;
  apply();
}

void OfferedPools::set_stopped(bool stopped) {
  MutexLock lock(mutex_);
  is_stopped_ = stopped;
  apply();
}

void OfferedPools::set_timeout(guint64 timeout) {
  MutexLock lock(mutex_);
  timeout_ = timeout;
  apply();
}

void OfferedPools::apply() {
  const bool nobody_waits = is_flushing_ || is_stopped_;
  if (nobody_waits) {
    canceller_.cancel();
  } else {
    canceller_.reset();
  }
  std::erase_if(offered_,
                [nobody_waits, timeout = timeout_](const std::weak_ptr<PoolControl>& weak) {
                  const std::shared_ptr<PoolControl> control = weak.lock();
                  if (control == nullptr) return true;
                  control->timeout = timeout;
                  control->set_element_flushing(nobody_waits);
                  return false;
                });
}

}  // namespace nv12slot::gst
