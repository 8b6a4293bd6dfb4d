// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"
#include "nv12slot/reaper.h"
#include "nv12slot/slot_pool.h"
#include "slot.h"

namespace nv12slot {

/// The slots of one domain: the part of SlotPool that a lock belongs to. Made by SlotPool, which
/// says what is promised to callers. Lives as long as its SlotPool.
class DomainPool {
 public:
  /// `cap` and `cooldown_ns` are the SlotPool's settings, read anew at each use.
  DomainPool(std::unique_ptr<Device> device, Clock& clock, const std::atomic<unsigned>& cap,
             const std::atomic<Duration::rep>& cooldown_ns);
  ~DomainPool();
  DomainPool(const DomainPool&) = delete;
  DomainPool& operator=(const DomainPool&) = delete;

  [[nodiscard]] Device& device() { return *device_; }

  /// As SlotPool::acquire, in this domain only: kHost is treated as kDrop.
  [[nodiscard]] Result<Lease> acquire(const AcquireRequest& request) NV12SLOT_EXCLUDES(mutex_);
  void release(Slot& slot, bool needs_cooldown, std::vector<Fence> fences)
      NV12SLOT_EXCLUDES(mutex_);
  void quarantine(Slot& slot, const Error& why) NV12SLOT_EXCLUDES(mutex_);

  void count_host_fallback() NV12SLOT_EXCLUDES(mutex_);
  /// Makes those that block look again: something other than a release has changed.
  void wake() NV12SLOT_EXCLUDES(mutex_);
  /// Retires FREE slots while there are more of their kind than the cap.
  void trim() NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] PoolStats stats() NV12SLOT_EXCLUDES(mutex_);

 private:
  /// The slots of one kind, which replace each other. A COOLING slot is in one of two lists, or in
  /// none while a thread asks its fences.
  struct Shelf {
    std::vector<Slot*> free;   ///< the longest idle first
    std::deque<Slot*> timed;   ///< COOLING without a fence, the longest released first
    std::deque<Slot*> fenced;  ///< COOLING with fences
    unsigned asked = 0;        ///< COOLING, in no list
    unsigned slots = 0;        ///< all that exist, those being made included
  };

  /// What a request comes to in this domain.
  struct Wanted {
    SlotKind kind;
    std::size_t size;   // bytes
    Nv12Layout layout;  // empty for plain bytes
  };

  Shelf& shelf(SlotKind kind) NV12SLOT_REQUIRES(mutex_) {
    return shelves_[static_cast<std::size_t>(kind)];
  }
  bool is_over_cap(SlotKind kind) NV12SLOT_REQUIRES(mutex_);

  [[nodiscard]] Result<Wanted> wanted(const AcquireRequest& request) const;
  Result<Slot*> try_acquire(const AcquireRequest& request, const Wanted& wanted)
      NV12SLOT_REQUIRES(mutex_);
  Result<Slot*> make_slot(const Wanted& wanted) NV12SLOT_REQUIRES(mutex_);
  Slot* take_free(Shelf& shelf, std::size_t size, bool exact) NV12SLOT_REQUIRES(mutex_);
  Slot* take_idle_too_small(Shelf& shelf, std::size_t size) NV12SLOT_REQUIRES(mutex_);

  /// Moves cooled slots that have no fences to FREE. Looks at the front of the list only: after the
  /// cooldown was made shorter, a slot may wait for one that was released before.
  void settle_by_time(Shelf& shelf) NV12SLOT_REQUIRES(mutex_);
  /// Moves cooled slots whose fences are complete to FREE, one after the other, until `enough()`,
  /// which is asked with the mutex held. The mutex is dropped around each query.
  template <typename Enough>
  bool settle_by_fences(Shelf& shelf, Enough enough) NV12SLOT_REQUIRES(mutex_);

  void make_free(Slot& slot) NV12SLOT_REQUIRES(mutex_);
  void make_quarantined(Slot& slot) NV12SLOT_REQUIRES(mutex_);
  /// Takes the slot out of the domain.
  std::unique_ptr<Slot> remove(Slot& slot) NV12SLOT_REQUIRES(mutex_);
  /// Takes the slot out of the domain and has its memory given back in the background.
  void retire(Slot& slot) NV12SLOT_REQUIRES(mutex_);
  /// The same, and waits until the memory can be used again. The mutex is dropped meanwhile.
  void retire_now(Slot& slot) NV12SLOT_REQUIRES(mutex_);
  /// Makes those that block look again, if there are any.
  void notify() NV12SLOT_REQUIRES(mutex_);
  TimePoint next_change(const Shelf& shelf) NV12SLOT_REQUIRES(mutex_);
  std::string pool_full_line(const Error& why) NV12SLOT_REQUIRES(mutex_);

  const std::unique_ptr<Device> device_;
  Clock& clock_;
  const std::atomic<unsigned>& cap_;
  const std::atomic<Duration::rep>& cooldown_ns_;

  Mutex mutex_;  // before the reaper's, and nothing else
  CondVar changed_;
  std::vector<std::unique_ptr<Slot>> slots_ NV12SLOT_GUARDED_BY(mutex_);
  std::array<Shelf, kSlotKinds> shelves_ NV12SLOT_GUARDED_BY(mutex_);
  unsigned next_id_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  unsigned waiting_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  PoolStats totals_ NV12SLOT_GUARDED_BY(mutex_);
  std::uint64_t exhausted_when_logged_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  std::optional<TimePoint> pool_full_logged_ NV12SLOT_GUARDED_BY(mutex_);

  Reaper reaper_;  // last: its tasks use the device
};

}  // namespace nv12slot
