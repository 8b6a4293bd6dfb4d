// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace nv12slot::gst {

/// Stops threads of this process wherever they are, as a debugger or a starved scheduler would,
/// until it goes. One such object at a time.
class StoppedThread {
 public:
  /// Stops all threads of that name (of /proc/self/task/*/comm); waits up to 10 s for one to be
  /// there, and for them to stand still.
  explicit StoppedThread(const std::string& name);
  ~StoppedThread();
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;

  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

 private:
  bool is_stopped_ = false;
};

}  // namespace nv12slot::gst
