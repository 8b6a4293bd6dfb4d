// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slotbufferpool.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "nv12slot/mutex.h"
#include "nv12slot/slot_pool.h"

namespace nv12slot::gst {

/// What the maker of a GstNv12SlotBufferPool tells it; shared by both, so that an element can wake
/// the pools it offered without keeping them alive. Any thread.
class PoolControl {
 public:
  PoolControl(SlotPool& pool, std::shared_ptr<Quota> quota)
      : quota_(std::move(quota)), canceller_(pool) {}

  /// For a decoder, which takes any failure for an error of the stream: when there is no slot,
  /// acquire gives out the reserve, marked as spilled (SlotHold::is_spilled).
  std::atomic<bool> spills{false};
  std::atomic<guint64> timeout{0};  ///< ns that acquire waits, 0 not at all

  [[nodiscard]] const std::shared_ptr<Quota>& quota() const { return quota_; }
  [[nodiscard]] const Canceller& canceller() const { return canceller_; }

  /// The pool flushes, or the element that offered it: acquire is woken and does not wait until
  /// neither does.
  void set_pool_flushing(bool flushing) NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    pool_flushing_ = flushing;
    apply();
  }
  void set_element_flushing(bool flushing) NV12SLOT_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    element_flushing_ = flushing;
    apply();
  }

 private:
  void apply() NV12SLOT_REQUIRES(mutex_) {
    if (pool_flushing_ || element_flushing_) {
      canceller_.cancel();
    } else {
      canceller_.reset();
    }
  }

  const std::shared_ptr<Quota> quota_;
  // Before the pool's locks, which cancel() takes.
  Mutex mutex_;
  bool pool_flushing_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool element_flushing_ NV12SLOT_GUARDED_BY(mutex_) = false;
  Canceller canceller_;
};

/// A pool for `domain`; nullptr if there is no such device. `context` is the GstCudaContext to use
/// on a device; without a `control` the pool has one of its own.
[[nodiscard]] GST_NV12_SLOT_API GstBufferPool* slot_buffer_pool_new(
    Domain domain, GstObject* context, std::shared_ptr<PoolControl> control);

/// GST_CLOCK_TIME_NONE and what else is longer than the clock can count become ten years.
[[nodiscard]] inline Duration to_duration(guint64 nanoseconds) {
  constexpr guint64 kTenYears = guint64{10} * 365 * 24 * 3600 * GST_SECOND;
  return Duration(std::min(nanoseconds, kTenYears));
}

}  // namespace nv12slot::gst
