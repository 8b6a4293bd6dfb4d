// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cuda.h>

#include <chrono>
#include <cstdint>

#include "cuda_driver.h"
#include "nv12slot/device.h"

namespace nv12slot::gpu {

/// The kernels of reader_kernels.cu on one device. Launches put work into a stream and return; any
/// thread. A failure of the driver ends the program with its text.
class ReaderKernels {
 public:
  explicit ReaderKernels(Device& device);
  ~ReaderKernels();
  ReaderKernels(const ReaderKernels&) = delete;
  ReaderKernels& operator=(const ReaderKernels&) = delete;

  /// `blocks` blocks of `threads` threads that each run for `duration`.
  void spin(StreamHandle stream, unsigned blocks, unsigned threads,
            std::chrono::nanoseconds duration);
  /// Reads the Y plane for `duration`; what differs from `expected` is counted in seen().
  void watch(StreamHandle stream, const Nv12Planes& planes, std::uint32_t width,
             std::uint32_t height, std::uint8_t expected, std::chrono::nanoseconds duration);

  /// Bytes that were not as expected, in all watch kernels that are done.
  [[nodiscard]] std::uint32_t seen() const { return *seen_; }
  void forget() { *seen_ = 0; }

  /// Multiprocessors of the device.
  [[nodiscard]] unsigned multiprocessors() const { return multiprocessors_; }

 private:
  CUfunction function(const char* name);

  Device& device_;
  const CudaDriver& driver_;
  CUmodule module_ = nullptr;
  CUfunction spin_ = nullptr;
  CUfunction watch_ = nullptr;
  unsigned multiprocessors_ = 0;
  volatile std::uint32_t* seen_ = nullptr;  // page-locked, so that kernels count in it
};

}  // namespace nv12slot::gpu
