// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// What the library calls of the driver, and nothing else; the CUDA Toolkit is not needed to read
// it. CudaDriver is made of it, and so are the tests that have each call fail (docs/faults.md).
//
// cuda.h renames some of these to the version that its declarations belong to (cuMemAlloc to
// cuMemAlloc_v2); a name given to another macro is renamed on the way, so that fields, types and
// looked-up symbols agree.
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

// What the library can do without, with its type, as toolkits need not declare it; nullptr where
// the driver has none.
#define NV12SLOT_CUDA_OPTIONAL_FUNCTIONS(X) X(cuFuncLoad, CUresult(CUfunction)) /* since 12.4 */
