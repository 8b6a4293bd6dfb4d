// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <utility>

#include "cuda_driver.h"
#include "nv12slot/mutex.h"

namespace nv12slot {

/// The kernels that one CUDA device has loaded. Owned by its device, any thread; the device's
/// context is current in every call.
///
/// Loading takes milliseconds and is done by one thread at a time, without the lock: others that
/// have something to load wait for it, those that ask for what is there do not.
class CudaKernels {
 public:
  explicit CudaKernels(const CudaDriver& driver) : driver_(driver) {}
  CudaKernels(const CudaKernels&) = delete;
  CudaKernels& operator=(const CudaKernels&) = delete;

  /// As Device::load_kernel. An image is loaded once, whatever its kernels; what fails is
  /// forgotten.
  [[nodiscard]] Result<CUfunction> load(const void* image, const char* name)
      NV12SLOT_EXCLUDES(mutex_);
  /// Unloads everything; tells the first failure. Every handle ends.
  [[nodiscard]] Status unload() NV12SLOT_EXCLUDES(mutex_);

 private:
  // Loads `module` too where it is nullptr; it stays for the next time where the kernel fails.
  Result<CUfunction> load_anew(const void* image, const char* name, CUmodule& module) const;

  const CudaDriver& driver_;
  Mutex mutex_;
  CondVar changed_;
  bool is_loading_ NV12SLOT_GUARDED_BY(mutex_) = false;
  std::map<const void*, CUmodule> modules_ NV12SLOT_GUARDED_BY(mutex_);  // by image
  std::map<std::pair<const void*, std::string>, CUfunction> kernels_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace nv12slot
