// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda_driver.h"
#include "nv12slot/log.h"
#include "nv12slot/result.h"

namespace nv12slot {

/// Makes a context current for a scope, whatever was current before; one thread.
class CurrentContext {
 public:
  CurrentContext(const CudaDriver& driver, CUcontext context)
      : driver_(driver), status_(NV12SLOT_CUDA(driver, cuCtxPushCurrent, context)) {}
  ~CurrentContext() {
    if (!status_) return;
    CUcontext popped = nullptr;
    const Status status = NV12SLOT_CUDA(driver_, cuCtxPopCurrent, &popped);
    if (!status && status.code() != Errc::kExiting) {
      log(LogLevel::kError, "DEVICE " + status.error().message);
    }
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

  /// Whether it is current; if not, nothing has changed.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  const CudaDriver& driver_;
  const Status status_;
};

}  // namespace nv12slot
