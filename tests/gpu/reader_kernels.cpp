// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reader_kernels.h"

#include "cuda_context.h"
#include "driver_symbol.h"

// reader_kernels.cu, compiled and embedded by the build.
extern "C" const unsigned char nv12slot_reader_kernels_fatbin[];

namespace nv12slot::gpu {
ReaderKernels::ReaderKernels(Device& device)
    : device_(device), driver_(*CudaDriver::get().value()) {
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  check(current.status());
  check(NV12SLOT_CUDA(driver_, cuModuleLoadData, &module_, nv12slot_reader_kernels_fatbin));
  spin_ = function("nv12slot_spin");
  watch_ = function("nv12slot_watch");
  int count = 0;
  check(NV12SLOT_CUDA(driver_, cuDeviceGetAttribute, &count,
                      CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device_.domain()));
  multiprocessors_ = static_cast<unsigned>(count);
  void* host = nullptr;
  check(driver_.check(
      driver_symbol<CUresult(void**, std::size_t)>("cuMemAllocHost_v2")(&host, sizeof *seen_),
      "cuMemAllocHost", __FILE__, __LINE__));
  seen_ = static_cast<volatile std::uint32_t*>(host);
  *seen_ = 0;
}

ReaderKernels::~ReaderKernels() {
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  driver_symbol<CUresult(void*)>("cuMemFreeHost")(const_cast<std::uint32_t*>(seen_));
  check(NV12SLOT_CUDA(driver_, cuModuleUnload, module_));
}

CUfunction ReaderKernels::function(const char* name) {
  CUfunction function = nullptr;
  check(NV12SLOT_CUDA(driver_, cuModuleGetFunction, &function, module_, name));
  return function;
}

void ReaderKernels::spin(StreamHandle stream, unsigned blocks, unsigned threads,
                         std::chrono::nanoseconds duration) {
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  auto nanoseconds = static_cast<std::uint64_t>(duration.count());
  void* parameters[] = {&nanoseconds};
  check(NV12SLOT_CUDA(driver_, cuLaunchKernel, spin_, blocks, 1, 1, threads, 1, 1, 0,
                      static_cast<CUstream>(stream), parameters, nullptr));
}

void ReaderKernels::watch(StreamHandle stream, const Nv12Planes& planes, std::uint32_t width,
                          std::uint32_t height, std::uint8_t expected,
                          std::chrono::nanoseconds duration) {
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  auto y = static_cast<CUdeviceptr>(planes.y);
  std::size_t pitch = planes.y_pitch;
  auto nanoseconds = static_cast<std::uint64_t>(duration.count());
  auto* differing = const_cast<std::uint32_t*>(seen_);
  void* parameters[] = {&y, &pitch, &width, &height, &expected, &nanoseconds, &differing};
  check(NV12SLOT_CUDA(driver_, cuLaunchKernel, watch_, 1, 1, 1, 256, 1, 1, 0,
                      static_cast<CUstream>(stream), parameters, nullptr));
}

}  // namespace nv12slot::gpu
