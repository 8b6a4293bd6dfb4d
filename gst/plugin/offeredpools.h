// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <vector>

#include "nv12slot/mutex.h"
#include "nv12slot/slot_pool.h"
#include "poolcontrol.h"

namespace nv12slot::gst {

/// The buffer pools that an element offered upstream, and who may wait for a slot: the element's
/// own thread, or a decoder's in such a pool. Nobody waits while the element flushes or is stopped.
/// Any thread.
class OfferedPools {
 public:
  explicit OfferedPools(SlotPool& pool) : pool_(pool), canceller_(pool) {}

  /// For the element's own requests.
  [[nodiscard]] const Canceller& canceller() const { return canceller_; }

  /// The control of a pool to be offered now; remembered for as long as somebody has the pool.
  [[nodiscard]] std::shared_ptr<PoolControl> offer(std::shared_ptr<Quota> quota)
      NV12SLOT_EXCLUDES(mutex_);

  /// Each wakes those that wait, where it says so.
  void set_flushing(bool flushing) NV12SLOT_EXCLUDES(mutex_);
  void set_stopped(bool stopped) NV12SLOT_EXCLUDES(mutex_);

  /// How long a decoder waits in its pool, in ns; also in those offered before.
  void set_timeout(guint64 timeout) NV12SLOT_EXCLUDES(mutex_);

 private:
  void apply() NV12SLOT_REQUIRES(mutex_);

  SlotPool& pool_;
  // Before PoolControl's and the pool's, which are taken to wake those that wait for a slot.
  Mutex mutex_;
  std::vector<std::weak_ptr<PoolControl>> offered_ NV12SLOT_GUARDED_BY(mutex_);
  bool is_flushing_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool is_stopped_ NV12SLOT_GUARDED_BY(mutex_) = true;
  guint64 timeout_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  Canceller canceller_;
};

}  // namespace nv12slot::gst
