// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"

namespace nv12slot {

/// A background thread for what is slow: giving memory back, later freeing decoded frames and
/// closing decoders. Started by the first post(), or by a later one where the process has no thread
/// left; tasks run in order, one at a time, with no lock
/// held. A task that hangs holds up only the tasks behind it, so what can hang has a Reaper of its
/// own. Any thread.
class Reaper {
 public:
  Reaper() = default;
  /// Runs what was posted, then ends the thread. Not to be called from a task.
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  /// Never blocks, never fails.
  void post(std::function<void()> task) NV12SLOT_EXCLUDES(mutex_);

  /// Waits until everything posted before the call has run; false at the deadline. `clock` gives
  /// the time.
  [[nodiscard]] bool drain(Clock& clock, TimePoint deadline) NV12SLOT_EXCLUDES(mutex_);

 private:
  /// Runs tasks until there are none and the Reaper is stopping.
  void run() NV12SLOT_EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ NV12SLOT_GUARDED_BY(mutex_);
  bool running_task_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool stopping_ NV12SLOT_GUARDED_BY(mutex_) = false;
  std::thread thread_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace nv12slot
