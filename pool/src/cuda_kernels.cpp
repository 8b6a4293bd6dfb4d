// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda_kernels.h"

namespace nv12slot {

Result<CUfunction> CudaKernels::load(const void* image, const char* name) {
  const std::pair<const void*, std::string> key{image, name};
  MutexLock lock(mutex_);
  for (;;) {
    if (const auto known = kernels_.find(key); known != kernels_.end()) return known->second;
    if (!is_loading_) break;
    changed_.wait(lock);
  }
  is_loading_ = true;
  const auto loaded = modules_.find(image);
  CUmodule module = loaded != modules_.end() ? loaded->second : nullptr;
  lock.unlock();
  Result<CUfunction> kernel = load_anew(image, name, module);
  lock.lock();
  is_loading_ = false;
  changed_.notify_all();
  if (module != nullptr) modules_[image] = module;
  if (kernel) kernels_[key] = kernel.value();
  return kernel;
}

Result<CUfunction> CudaKernels::load_anew(const void* image, const char* name,
                                          CUmodule& module) const {
  if (module == nullptr) {
    if (Status status = NV12SLOT_CUDA(driver_, cuModuleLoadData, &module, image); !status) {
      module = nullptr;
      return status.error();
    }
  }
  CUfunction kernel = nullptr;
  if (Status status = NV12SLOT_CUDA(driver_, cuModuleGetFunction, &kernel, module, name); !status) {
    return status.error();
  }
  // Else the driver does it at the first launch, holding the context's lock until the device is
  // idle.
  if (driver_.cuFuncLoad != nullptr) {
    if (Status status = NV12SLOT_CUDA(driver_, cuFuncLoad, kernel); !status) return status.error();
  }
  return kernel;
}

Status CudaKernels::unload() {
  std::map<const void*, CUmodule> modules;
  {
    MutexLock lock(mutex_);
    kernels_.clear();
    modules.swap(modules_);
  }
  Status first;
  for (const auto& [image, module] : modules) {
    Status status = NV12SLOT_CUDA(driver_, cuModuleUnload, module);
    if (first) first = std::move(status);
  }
  return first;
}

}  // namespace nv12slot
