// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <thread>

#include "nv12slot/mutex.h"

namespace nv12slot::gst {

/// A thread whose driver calls never fail, and which runs what a test gives it: the cameras that
/// nothing happens to, and the reader who looks at what came of the others. Needs the stand-in.
class SparedThread {
 public:
  SparedThread();
  ~SparedThread();
  SparedThread(const SparedThread&) = delete;
  SparedThread& operator=(const SparedThread&) = delete;

  /// Runs `work` there and returns when it is done. One caller at a time.
  void run(std::function<void()> work);

 private:
  void loop();

  Mutex mutex_;
  CondVar changed_;
  std::function<void()> work_ NV12SLOT_GUARDED_BY(mutex_);
  bool is_done_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool stopping_ NV12SLOT_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace nv12slot::gst
