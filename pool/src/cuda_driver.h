// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Only here: the rest of the library sees CUDA through this header, or not at all.
#include <cuda.h>

#include "nv12slot/result.h"

// What the library calls of the driver, and nothing else. cuda.h renames some of these to the
// version that its declarations belong to (cuMemAlloc to cuMemAlloc_v2); a name given to another
// macro is renamed on the way, so that fields, types and looked-up symbols agree.
#define NV12SLOT_CUDA_FUNCTIONS(X)     \
  X(cuInit)                            \
  X(cuGetErrorName)                    \
  X(cuGetErrorString)                  \
  X(cuDeviceGet)                       \
  X(cuDeviceGetCount)                  \
  X(cuDeviceGetAttribute)              \
  X(cuDeviceGetName)                   \
  X(cuDeviceCanAccessPeer)             \
  X(cuDevicePrimaryCtxRetain)          \
  X(cuDevicePrimaryCtxRelease)         \
  X(cuCtxPushCurrent)                  \
  X(cuCtxPopCurrent)                   \
  X(cuCtxGetStreamPriorityRange)       \
  X(cuCtxEnablePeerAccess)             \
  X(cuThreadExchangeStreamCaptureMode) \
  X(cuMemPoolCreate)                   \
  X(cuMemPoolDestroy)                  \
  X(cuMemPoolSetAttribute)             \
  X(cuMemPoolSetAccess)                \
  X(cuMemAllocFromPoolAsync)           \
  X(cuMemFreeAsync)                    \
  X(cuMemAlloc)                        \
  X(cuMemFree)                         \
  X(cuStreamCreateWithPriority)        \
  X(cuStreamDestroy)                   \
  X(cuStreamSynchronize)               \
  X(cuStreamWaitEvent)                 \
  X(cuEventCreate)                     \
  X(cuEventDestroy)                    \
  X(cuEventQuery)                      \
  X(cuEventRecord)                     \
  X(cuMemcpyAsync)                     \
  X(cuMemcpy2DAsync)                   \
  X(cuModuleLoadData)                  \
  X(cuModuleUnload)                    \
  X(cuModuleGetFunction)               \
  X(cuLaunchKernel)

namespace nv12slot {

/// The driver API, loaded at run time. One for the process, never unloaded. Any thread.
struct CudaDriver {
#define NV12SLOT_CUDA_FIELD(function) decltype(&::function) function = nullptr;
  NV12SLOT_CUDA_FUNCTIONS(NV12SLOT_CUDA_FIELD)
#undef NV12SLOT_CUDA_FIELD
  // What the library can do without, and toolkits need not declare: nullptr where the driver has
  // none.
  CUresult (*cuFuncLoad)(CUfunction) = nullptr;  // since 12.4

  /// The driver, loaded and initialised by the first call; later calls give the same answer. Fails
  /// with kNoDevice (no libcuda.so.1, one that is too old, cuInit failed; each said) or kExiting.
  [[nodiscard]] static Result<const CudaDriver*> get();

  /// True once exit() has begun: the driver may be gone at any moment and is not called any more.
  [[nodiscard]] static bool is_exiting();

  /// Success, or an Error with the call, its place, and CUDA's name and text. kOutOfMemory and
  /// kExiting are told apart, all else is kDeviceFailed.
  [[nodiscard]] Status check(CUresult result, const char* call, const char* file, int line) const;
};

}  // namespace nv12slot

/// The Status of one driver call; the call is not made once exit() has begun.
#define NV12SLOT_CUDA(driver, function, ...)                                            \
  (driver).check(::nv12slot::CudaDriver::is_exiting() ? CUDA_ERROR_DEINITIALIZED        \
                                                      : (driver).function(__VA_ARGS__), \
                 #function "(" #__VA_ARGS__ ")", __FILE__, __LINE__)
