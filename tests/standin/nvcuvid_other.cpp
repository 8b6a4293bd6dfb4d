// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libnvcuvid.so.1: context locks, and what the loaders ask for beside the decoder.

#include <ffnvcodec/dynlink_cuda.h>
// dynlink_nvcuvid.h needs the types of dynlink_cuda.h.
#include <ffnvcodec/dynlink_nvcuvid.h>

#include <mutex>

#include "driver.h"
#include "unsupported.h"

using namespace nv12slot::standin;

namespace {

struct ContextLock {
  std::recursive_mutex mutex;
  CUcontext context;
};

}  // namespace

extern "C" {

CUresult cuvidCtxLockCreate(CUvideoctxlock* lock, CUcontext context) {
  STANDIN_ENTER(kInitialized);
  auto* made = new ContextLock;
  made->context = context;
  *lock = reinterpret_cast<CUvideoctxlock>(made);
  return CUDA_SUCCESS;
}

CUresult cuvidCtxLockDestroy(CUvideoctxlock lock) {
  STANDIN_ENTER(kInitialized);
  delete reinterpret_cast<ContextLock*>(lock);
  return CUDA_SUCCESS;
}

CUresult cuvidCtxLock(CUvideoctxlock handle, unsigned) {
  STANDIN_ENTER(kInitialized);
  auto* lock = reinterpret_cast<ContextLock*>(handle);
  entry.lock.unlock();
  lock->mutex.lock();
  return push_handle(lock->context) ? CUDA_SUCCESS : kInvalidValue;
}

CUresult cuvidCtxUnlock(CUvideoctxlock handle, unsigned) {
  STANDIN_ENTER(kInitialized);
  CUcontext popped = nullptr;
  pop_handle(&popped);
  reinterpret_cast<ContextLock*>(handle)->mutex.unlock();
  return CUDA_SUCCESS;
}

// NVIDIA's own demuxer and parser are not here: the elements and libraries under test parse
// themselves.
STANDIN_UNSUPPORTED(cuvidCreateVideoSource);
STANDIN_UNSUPPORTED(cuvidCreateVideoSourceW);
STANDIN_UNSUPPORTED(cuvidDestroyVideoSource);
STANDIN_UNSUPPORTED(cuvidSetVideoSourceState);
STANDIN_UNSUPPORTED(cuvidGetVideoSourceState);
STANDIN_UNSUPPORTED(cuvidGetSourceVideoFormat);
STANDIN_UNSUPPORTED(cuvidGetSourceAudioFormat);
STANDIN_UNSUPPORTED(cuvidCreateVideoParser);
STANDIN_UNSUPPORTED(cuvidParseVideoData);
STANDIN_UNSUPPORTED(cuvidDestroyVideoParser);

}  // extern "C"
