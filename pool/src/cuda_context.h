// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda_driver.h"
#include "nv12slot/log.h"
#include "nv12slot/result.h"

namespace nv12slot {

/// Makes a context current for a scope, whatever was current before; one thread. Within another
/// such scope of the same context it does nothing: several calls in a row share one (Device::run),
/// whose work must leave the context as it is.
///
/// The thread's stream capture mode is relaxed meanwhile: while any thread captures a CUDA graph in
/// the default (global) mode, as PyTorch does, the driver fails other threads' queries, allocations
/// and synchronizations, and spoils the capture (seen on an H100: all ten calls of ours work and
/// the capture lives in relaxed mode). None of ours ever goes into a stream that is being captured.
class CurrentContext {
 public:
  CurrentContext(const CudaDriver& driver, CUcontext context)
      : driver_(driver),
        outer_(entered()),
        is_nested_(outer_ == context),
        status_(is_nested_ ? Status() : NV12SLOT_CUDA(driver, cuCtxPushCurrent, context)) {
    if (is_nested_ || !status_) return;
    entered() = context;
    const Status relaxed = exchange_capture_mode();
    is_relaxed_ = relaxed.ok();
    note(relaxed);
  }
  ~CurrentContext() {
    if (is_nested_ || !status_) return;
    entered() = outer_;
    if (is_relaxed_) note(exchange_capture_mode());
    CUcontext popped = nullptr;
    note(NV12SLOT_CUDA(driver_, cuCtxPopCurrent, &popped));
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

  /// Whether it is current; if not, nothing has changed.
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  Status exchange_capture_mode() {
    return NV12SLOT_CUDA(driver_, cuThreadExchangeStreamCaptureMode, &capture_mode_);
  }
  static void note(const Status& status) {
    if (!status && status.code() != Errc::kExiting) {
      log(LogLevel::kError, "DEVICE " + status.error().message);
    }
  }

  /// What this thread's innermost scope made current; nullptr outside of any.
  static CUcontext& entered() {
    thread_local CUcontext context = nullptr;
    return context;
  }

  const CudaDriver& driver_;
  const CUcontext outer_;
  const bool is_nested_;
  const Status status_;
  CUstreamCaptureMode capture_mode_ = CU_STREAM_CAPTURE_MODE_RELAXED;  // the thread's, in between
  bool is_relaxed_ = false;  // else the thread's is as it was
};

}  // namespace nv12slot
