// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Driver API: primary and created contexts, the thread's context stack, peer access.

#include "driver.h"

using namespace nv12slot::standin;

namespace {

bool valid(CUdevice device) {
  return device >= 0 && device < kDeviceCount;
}

CUresult release_primary(Entry& entry, CUdevice device, bool reset) {
  if (!valid(device)) return kInvalidDevice;
  const auto& context = driver().primary[device];
  if (!reset && context->retained == 0) return kInvalidContext;
  if (!reset && --context->retained != 0) return CUDA_SUCCESS;
  const unsigned retained = context->retained;
  if (context->alive) end_context(entry.lock, context);
  // A reset context is inactive until somebody retains it again; its references stay.
  context->retained = retained;
  return CUDA_SUCCESS;
}

CUresult create(CUcontext* handle, unsigned flags, CUdevice device) {
  if (handle == nullptr) return kInvalidValue;
  if (!valid(device)) return kInvalidDevice;
  auto context = std::make_shared<Context>();
  context->handle = driver().new_handle<CUcontext>();
  context->device = device;
  context->flags = flags;
  context->alive = true;
  driver().contexts[context->handle] = context;
  if (!push_handle(context->handle)) return kInvalidValue;
  *handle = context->handle;
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuDevicePrimaryCtxRetain(CUcontext* handle, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  const auto& context = driver().primary[device];
  context->retained++;
  context->alive = true;
  *handle = context->handle;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  STANDIN_ENTER(kInitialized);
  return release_primary(entry, device, false);
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  return cuDevicePrimaryCtxRelease_v2(device);
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
  STANDIN_ENTER(kInitialized);
  return release_primary(entry, device, true);
}
CUresult cuDevicePrimaryCtxReset(CUdevice device) {
  return cuDevicePrimaryCtxReset_v2(device);
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned flags) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  driver().primary[device]->flags = flags;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) {
  return cuDevicePrimaryCtxSetFlags_v2(device, flags);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
  STANDIN_ENTER(kInitialized);
  if (!valid(device)) return kInvalidDevice;
  *flags = driver().primary[device]->flags;
  *active = driver().primary[device]->alive ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult cuCtxCreate_v2(CUcontext* handle, unsigned flags, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  return create(handle, flags, device);
}

CUresult cuCtxCreate_v4(CUcontext* handle, void*, unsigned flags, CUdevice device) {
  STANDIN_ENTER(kInitialized);
  return create(handle, flags, device);
}

CUresult cuCtxDestroy_v2(CUcontext handle) {
  STANDIN_ENTER(kInitialized);
  const auto context = find_context(handle);
  if (context == nullptr || context->primary) return kInvalidContext;
  end_context(entry.lock, context);
  if (current_handle() == handle) pop_handle(&handle);
  return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext handle) {
  STANDIN_ENTER(kInitialized);
  if (find_context(handle) == nullptr) return kInvalidContext;
  return push_handle(handle) ? CUDA_SUCCESS : kInvalidValue;
}

CUresult cuCtxPopCurrent_v2(CUcontext* handle) {
  STANDIN_ENTER(kInitialized);
  CUcontext popped = nullptr;
  if (!pop_handle(&popped)) return kInvalidContext;
  if (handle != nullptr) *handle = popped;
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext handle) {
  STANDIN_ENTER(kInitialized);
  if (handle != nullptr && find_context(handle) == nullptr) return kInvalidContext;
  replace_handle(handle);
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* handle) {
  STANDIN_ENTER(kInitialized);
  *handle = current_handle();
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice* device) {
  STANDIN_ENTER(kContext);
  *device = entry.context->device;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetFlags(unsigned* flags) {
  STANDIN_ENTER(kContext);
  *flags = entry.context->flags;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(CUcontext handle, unsigned* version) {
  STANDIN_ENTER(kInitialized);
  if (handle != nullptr && find_context(handle) == nullptr) return kInvalidContext;
  *version = 3020;
  return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() {
  STANDIN_ENTER(kSound);
  const bool busy = loaded(entry.context->device);
  wait_for_context(entry.lock, entry.context.get());
  spend(entry.lock, busy ? 14402 : 0.4);
  return entry.context->error;
}

CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  STANDIN_ENTER(kSound);
  if (least != nullptr) *least = 0;
  if (greatest != nullptr) *greatest = -5;
  return CUDA_SUCCESS;
}

// The mode is a CUstreamCaptureMode, which nv-codec-headers do not declare.
CUresult cuThreadExchangeStreamCaptureMode(int* mode) {
  STANDIN_ENTER(kInitialized);
  if (mode == nullptr || *mode < 0 || *mode > 2) return kInvalidValue;
  *mode = exchange_capture_mode(*mode);
  return CUDA_SUCCESS;
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
  STANDIN_ENTER(kSound);
  entry.context->limits[static_cast<int>(limit)] = value;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetLimit(size_t* value, CUlimit limit) {
  STANDIN_ENTER(kSound);
  const auto found = entry.context->limits.find(static_cast<int>(limit));
  *value = found == entry.context->limits.end() ? 1024 : found->second;
  return CUDA_SUCCESS;
}

CUresult cuCtxEnablePeerAccess(CUcontext peer, unsigned flags) {
  STANDIN_ENTER(kSound);
  const auto other = find_context(peer);
  if (flags != 0) return kInvalidValue;
  if (other == nullptr || other == entry.context) return kInvalidContext;
  if (other->device != entry.context->device && !driver().peer_access) {
    return kPeerAccessUnsupported;
  }
  return entry.context->peers.insert(peer).second ? CUDA_SUCCESS : kPeerAccessAlreadyEnabled;
}

CUresult cuCtxDisablePeerAccess(CUcontext peer) {
  STANDIN_ENTER(kSound);
  return entry.context->peers.erase(peer) != 0 ? CUDA_SUCCESS : kPeerAccessNotEnabled;
}

}  // extern "C"
