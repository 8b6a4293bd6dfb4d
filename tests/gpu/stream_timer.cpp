// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_timer.h"

#include "cuda_context.h"
#include "driver_symbol.h"

namespace nv12slot::gpu {

StreamTimer::StreamTimer(Device& device, StreamHandle stream)
    : device_(device), driver_(*CudaDriver::get().value()), stream_(static_cast<CUstream>(stream)) {
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  check(NV12SLOT_CUDA(driver_, cuEventCreate, &began_, CU_EVENT_DEFAULT));
  check(NV12SLOT_CUDA(driver_, cuEventCreate, &ended_, CU_EVENT_DEFAULT));
}

StreamTimer::~StreamTimer() {
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  check(NV12SLOT_CUDA(driver_, cuEventDestroy, began_));
  check(NV12SLOT_CUDA(driver_, cuEventDestroy, ended_));
}

void StreamTimer::start() {
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  check(NV12SLOT_CUDA(driver_, cuEventRecord, began_, stream_));
}

double StreamTimer::stop() {
  static auto* const elapsed =
      driver_symbol<CUresult(float*, CUevent, CUevent)>("cuEventElapsedTime");
  const CurrentContext current(driver_, static_cast<CUcontext>(device_.context()));
  check(NV12SLOT_CUDA(driver_, cuEventRecord, ended_, stream_));
  check(NV12SLOT_CUDA(driver_, cuStreamSynchronize, stream_));
  float milliseconds = 0;
  check(driver_.check(elapsed(&milliseconds, began_, ended_), "cuEventElapsedTime", __FILE__,
                      __LINE__));
  return 1000.0 * milliseconds;
}

}  // namespace nv12slot::gpu
