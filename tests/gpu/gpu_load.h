// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "reader_kernels.h"

namespace nv12slot::gpu {

/// Inference going on beside a test: four threads, each with a stream in which it runs one kernel
/// after the other, with a copy of 6 MB behind it, and waits for both: a step. While it lives.
class GpuLoad {
 public:
  enum class Kind {
    kSome,  ///< kernels of a few long blocks: most of the device stays free
    kFull,  ///< kernels of many short blocks (50 us), more than the device can run at a time
  };
  GpuLoad(Device& device, Kind kind,
          std::chrono::milliseconds kernel = std::chrono::milliseconds(5));
  ~GpuLoad();
  GpuLoad(const GpuLoad&) = delete;
  GpuLoad& operator=(const GpuLoad&) = delete;

  /// How long each step took that ended since the last call, on any of the threads, in no order.
  [[nodiscard]] std::vector<std::chrono::nanoseconds> take_steps();

 private:
  void run();

  Device& device_;
  const Kind kind_;
  const std::chrono::milliseconds kernel_;
  ReaderKernels kernels_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::chrono::nanoseconds> steps_;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace nv12slot::gpu
