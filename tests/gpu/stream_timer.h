// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cuda.h>

#include "cuda_driver.h"
#include "nv12slot/device.h"

namespace nv12slot::gpu {

/// How long the device itself takes for what is put into a stream, by two of its events. One thread
/// at a time. A failure of the driver ends the program with its text.
class StreamTimer {
 public:
  StreamTimer(Device& device, StreamHandle stream);
  ~StreamTimer();
  StreamTimer(const StreamTimer&) = delete;
  StreamTimer& operator=(const StreamTimer&) = delete;

  void start();
  /// Waits for the stream; microseconds from start() to here.
  [[nodiscard]] double stop();

 private:
  Device& device_;
  const CudaDriver& driver_;
  const CUstream stream_;
  CUevent began_ = nullptr;
  CUevent ended_ = nullptr;
};

}  // namespace nv12slot::gpu
