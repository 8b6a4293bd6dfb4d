// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

namespace nv12slot::gst {

/// Stops threads of this process wherever they are, as a debugger or a starved scheduler would,
/// until it goes, or for 20 s: whoever would end it may wait for what the thread holds. One such
/// object at a time.
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
  // Kept until they go on: nothing is allocated or freed before, which one of them may be at.
  std::vector<int> threads_;
  bool is_stopped_ = false;
};

}  // namespace nv12slot::gst
