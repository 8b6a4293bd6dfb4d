// SPDX-License-Identifier: LGPL-2.1-or-later
#include "domain_pool.h"

#include <fmt/format.h>

#include <algorithm>

#include "nv12slot/log.h"

namespace nv12slot {
namespace {

// How often a blocked acquire() asks fences that are due: nothing tells when an event completes.
constexpr Duration kFencePoll = std::chrono::milliseconds(1);
constexpr Duration kPoolFullEvery = std::chrono::seconds(1);
// Longer than any wait, and short enough to be added to a point in time.
constexpr Duration kLongestTimeout = std::chrono::hours(24 * 365);

std::string name_of(Domain domain) {
  return domain == kHostDomain ? "host" : fmt::format("CUDA device {}", domain);
}

const char* name_of(SlotKind kind) {
  switch (kind) {
    case SlotKind::kPicture:
      return "slots";
    case SlotKind::kReserve:
      return "reserve slots";
    case SlotKind::kBytes:
      return "byte slots";
  }
  return "";
}

enum class FenceVerdict { kComplete, kPending, kFailed };

/// Gives a slot's memory and stream back to the device.
Status give_back(Device& device, const Slot& slot) {
  log(LogLevel::kInfo, fmt::format("SLOT RETIRED {} of {}: {} bytes", slot.id,
                                   name_of(device.domain()), slot.capacity));
  Status freed = device.free(slot.memory, slot.stream);
  if (!freed) log(LogLevel::kError, "SLOT RETIRED, but not freed: " + freed.error().message);
  return freed;
}

// Drops what is complete, so that no event is asked twice.
FenceVerdict ask(std::vector<Fence>& fences, Error& failure) {
  while (!fences.empty()) {
    const Result<bool> complete = fences.back().is_complete();
    if (!complete) {
      // Nobody may ask any more, which says nothing of the slot.
      if (complete.code() == Errc::kExiting) return FenceVerdict::kPending;
      failure = complete.error();
      return FenceVerdict::kFailed;
    }
    if (!complete.value()) return FenceVerdict::kPending;
    fences.pop_back();
  }
  return FenceVerdict::kComplete;
}

}  // namespace

DomainPool::DomainPool(std::unique_ptr<Device> device, Clock& clock,
                       const std::atomic<unsigned>& cap,
                       const std::atomic<Duration::rep>& cooldown_ns)
    : device_(std::move(device)), clock_(clock), cap_(cap), cooldown_ns_(cooldown_ns) {}

DomainPool::~DomainPool() {
  MutexLock lock(mutex_);
  while (!slots_.empty()) retire(*slots_.back());
}

Result<DomainPool::Wanted> DomainPool::wanted(const AcquireRequest& request) const {
  if (request.bytes == 0) {
    const Result<Nv12Layout> layout =
        nv12_layout(request.width, request.height, device_->row_alignment());
    if (!layout) return layout.error();
    return Wanted{request.reserve ? SlotKind::kReserve : SlotKind::kPicture, layout.value().size(),
                  layout.value()};
  }
  if (request.width != 0 || request.height != 0 || request.reserve) {
    return Error{Errc::kInvalidArgument,
                 "a slot is for a picture or for bytes: with bytes, width and height must be 0 and "
                 "reserve false"};
  }
  if (request.bytes > kMaxSlotBytes) {
    return Error{Errc::kInvalidArgument, fmt::format("a slot of {} bytes is out of range: 1 to {}",
                                                     request.bytes, kMaxSlotBytes)};
  }
  return Wanted{SlotKind::kBytes, request.bytes, Nv12Layout{}};
}

Result<Lease> DomainPool::acquire(const AcquireRequest& request) {
  const Result<Wanted> wanted = this->wanted(request);
  if (!wanted) return wanted.error();

  std::optional<TimePoint> deadline;
  MutexLock lock(mutex_);
  const auto is_cancelled = [&request] {
    return request.canceller != nullptr && request.canceller->is_cancelled();
  };
  for (;;) {
    if (is_cancelled()) return Error{Errc::kCancelled, "waiting for a slot was cancelled"};
    Result<Slot*> slot = try_acquire(request, wanted.value());
    if (slot) {
      ++totals_.acquired;
      return Lease(*this, *slot.value(), wanted.value().layout);
    }
    if (slot.code() != Errc::kExhausted && slot.code() != Errc::kQuotaExceeded &&
        slot.code() != Errc::kOutOfMemory) {
      return slot.error();
    }

    const bool first = !deadline.has_value();
    if (first) {
      ++totals_.exhausted;
      if (slot.code() == Errc::kQuotaExceeded) ++totals_.quota_refused;
      if (slot.code() == Errc::kOutOfMemory) ++totals_.out_of_memory;
      deadline = clock_.now() + std::clamp(request.timeout, Duration::zero(), kLongestTimeout);
      const std::string line = pool_full_line(slot.error());
      if (!line.empty()) {
        lock.unlock();
        log(LogLevel::kWarning, line);
        lock.lock();
      }
    }
    if (request.on_exhausted != OnExhausted::kBlock) return slot.error();
    if (first) ++totals_.blocked;
    if (clock_.now() >= *deadline) {
      ++totals_.timed_out;
      return Error{Errc::kTimedOut, fmt::format("no slot within {} ms: {}",
                                                request.timeout / std::chrono::milliseconds(1),
                                                slot.error().message)};
    }
    if (first) continue;  // the log line dropped the lock: look once more before waiting
    // So may have the search for a slot. From here on cancel() finds this thread waiting.
    if (is_cancelled()) continue;
    ++waiting_;
    TimePoint next = next_change(shelf(wanted.value().kind));
    if (slot.code() == Errc::kQuotaExceeded) {
      for (const Shelf& any : shelves_) next = std::min(next, next_change(any));
    }
    clock_.wait_until(changed_, lock, std::min(*deadline, next));
    --waiting_;
  }
}

Result<Slot*> DomainPool::try_acquire(const AcquireRequest& request, const Wanted& wanted) {
  Shelf& shelf = this->shelf(wanted.kind);
  const std::size_t size = wanted.size;
  const Domain domain = device_->domain();
  settle_by_time(shelf);

  const auto charge = [&] { return request.quota == nullptr || request.quota->charge(domain); };
  bool charged = charge();
  // A quota is one for all kinds: what it counts may cool on any shelf.
  for (auto any = shelves_.begin(); !charged && any != shelves_.end(); ++any) {
    settle_by_time(*any);
    // Asked once more at the end: the mutex was dropped, and what came back meanwhile told nobody.
    charged = charge() || settle_by_fences(*any, charge) || charge();
  }
  if (!charged) {
    return Error{Errc::kQuotaExceeded,
                 fmt::format("the source has {} slots of {} in use or cooling, its quota",
                             request.quota->limit(), name_of(domain))};
  }

  Slot* slot = take_free(shelf, size, /*exact=*/true);
  if (slot == nullptr) {
    settle_by_fences(shelf, [&]() NV12SLOT_TSA(no_thread_safety_analysis) {
      return (slot = take_free(shelf, size, /*exact=*/true)) != nullptr;
    });
  }
  if (slot == nullptr) slot = take_free(shelf, size, /*exact=*/false);
  if (slot == nullptr) {
    Slot* idle = nullptr;
    Result<Slot*> made = Error{};
    if (wanted.kind == SlotKind::kReserve || shelf.slots < cap_) {
      made = make_slot(wanted);
    } else if ((idle = take_idle_too_small(shelf, size)) != nullptr) {
      retire(*idle);
      made = make_slot(wanted);
    } else {
      made = Error{Errc::kExhausted, fmt::format("all {} {} of {} are taken", shelf.slots,
                                                 name_of(wanted.kind), name_of(domain))};
    }
    // Memory that nobody uses is worth more as a slot that somebody needs.
    while (!made && made.code() == Errc::kOutOfMemory &&
           (idle = take_idle_too_small(shelf, size)) != nullptr) {
      retire_now(*idle);
      made = make_slot(wanted);
    }
    if (!made) {
      if (request.quota != nullptr) request.quota->refund(domain);
      return made;
    }
    slot = made.value();
  }
  slot->state = SlotState::kActive;
  slot->quota = request.quota;
  return slot;
}

Result<Slot*> DomainPool::make_slot(const Wanted& wanted) {
  Shelf& shelf = this->shelf(wanted.kind);
  const std::size_t size = wanted.size;
  ++shelf.slots;  // holds the place under the cap while the lock is dropped
  const unsigned id = next_id_++;
  mutex_.unlock();

  Result<StreamHandle> stream = device_->take_stream();
  Result<std::uintptr_t> memory =
      stream ? device_->allocate(size, stream.value()) : Result<std::uintptr_t>(stream.error());
  if (!memory && stream) device_->give_stream(stream.value());
  if (memory) {
    const char* kind = wanted.kind == SlotKind::kReserve ? ", reserve"
                       : wanted.kind == SlotKind::kBytes ? ", no picture"
                                                         : "";
    log(LogLevel::kInfo,
        fmt::format("NEW SLOT {} of {}: {} bytes{}", id, name_of(device_->domain()), size, kind));
  }

  mutex_.lock();
  if (!memory) {
    --shelf.slots;
    notify();  // there is room under the cap again
    return memory.error();
  }
  slots_.push_back(
      std::unique_ptr<Slot>(new Slot{id, wanted.kind, memory.value(), size, stream.value()}));
  ++totals_.allocated;
  totals_.bytes += size;
  return slots_.back().get();
}

Slot* DomainPool::take_free(Shelf& shelf, std::size_t size, bool exact) {
  // From the back: what was used last is warm in the caches.
  auto best = shelf.free.rend();
  for (auto it = shelf.free.rbegin(); it != shelf.free.rend(); ++it) {
    const std::size_t capacity = (*it)->capacity;
    if (capacity == size) {
      best = it;
      break;
    }
    if (!exact && capacity > size && (best == shelf.free.rend() || capacity < (*best)->capacity)) {
      best = it;
    }
  }
  if (best == shelf.free.rend()) return nullptr;
  Slot* slot = *best;
  shelf.free.erase(std::next(best).base());
  return slot;
}

Slot* DomainPool::take_idle_too_small(Shelf& shelf, std::size_t size) {
  const auto it = std::find_if(shelf.free.begin(), shelf.free.end(),
                               [&](const Slot* slot) { return slot->capacity < size; });
  if (it == shelf.free.end()) return nullptr;
  Slot* slot = *it;
  shelf.free.erase(it);
  return slot;
}

void DomainPool::settle_by_time(Shelf& shelf) {
  if (shelf.timed.empty()) return;
  const TimePoint now = clock_.now();
  while (!shelf.timed.empty() && shelf.timed.front()->cool_until <= now) {
    Slot* slot = shelf.timed.front();
    shelf.timed.pop_front();
    make_free(*slot);
  }
}

template <typename Enough>
bool DomainPool::settle_by_fences(Shelf& shelf, Enough enough) {
  const TimePoint now = shelf.fenced.empty() ? TimePoint{} : clock_.now();
  // Each slot is asked once: those still pending go to the back, in their order.
  for (std::size_t left = shelf.fenced.size(); left > 0 && !shelf.fenced.empty(); --left) {
    Slot* slot = shelf.fenced.front();
    shelf.fenced.pop_front();
    if (slot->cool_until > now) {
      shelf.fenced.push_back(slot);
      continue;
    }
    ++shelf.asked;
    mutex_.unlock();  // the slot is in no list: this thread's alone
    Error failure;
    const FenceVerdict verdict = ask(slot->fences, failure);
    if (verdict == FenceVerdict::kFailed) {
      slot->fences.clear();
      log(LogLevel::kError, fmt::format("QUARANTINE of slot {} of {}: a fence failed: {}", slot->id,
                                        name_of(device_->domain()), failure.message));
    }
    mutex_.lock();
    --shelf.asked;
    switch (verdict) {
      case FenceVerdict::kPending:
        shelf.fenced.push_back(slot);
        break;
      case FenceVerdict::kFailed:
        make_quarantined(*slot);
        break;
      case FenceVerdict::kComplete:
        make_free(*slot);
        if (enough()) return true;
        break;
    }
  }
  return false;
}

bool DomainPool::is_over_cap(SlotKind kind) {
  return kind != SlotKind::kReserve && shelf(kind).slots > cap_;
}

void DomainPool::notify() {
  if (waiting_ > 0) changed_.notify_all();
}

void DomainPool::make_free(Slot& slot) {
  notify();
  if (slot.quota != nullptr) {
    slot.quota->refund(device_->domain());
    slot.quota.reset();
  }
  if (is_over_cap(slot.kind)) {
    retire(slot);
    return;
  }
  slot.state = SlotState::kFree;
  shelf(slot.kind).free.push_back(&slot);
}

void DomainPool::make_quarantined(Slot& slot) {
  notify();  // its quota is free, if the slot is not
  slot.state = SlotState::kQuarantined;
  if (slot.quota != nullptr) {
    slot.quota->refund(device_->domain());
    slot.quota.reset();
  }
}

std::unique_ptr<Slot> DomainPool::remove(Slot& slot) {
  const auto it = std::find_if(slots_.begin(), slots_.end(),
                               [&](const auto& owned) { return owned.get() == &slot; });
  std::unique_ptr<Slot> removed = std::move(*it);
  slots_.erase(it);
  --shelf(removed->kind).slots;
  ++totals_.retired;
  totals_.bytes -= removed->capacity;
  return removed;
}

void DomainPool::retire(Slot& slot) {
  reaper_.post([device = device_.get(), gone = std::shared_ptr<Slot>(remove(slot))] {
    (void)give_back(*device, *gone);  // logged
    device->give_stream(gone->stream);
  });
}

void DomainPool::retire_now(Slot& slot) {
  const std::unique_ptr<Slot> gone = remove(slot);
  mutex_.unlock();
  Status done = give_back(*device_, *gone);
  // Nothing but the free is in the stream: the slot was FREE.
  if (done) done = device_->synchronize(gone->stream);
  device_->give_stream(gone->stream);
  mutex_.lock();
}

void DomainPool::release(Slot& slot, bool needs_cooldown, std::vector<Fence> fences) {
  const Duration cooldown{needs_cooldown ? cooldown_ns_.load(std::memory_order_relaxed) : 0};
  const TimePoint cool_until = cooldown.count() > 0 ? clock_.now() + cooldown : TimePoint{};
  MutexLock lock(mutex_);
  if (fences.empty() && cooldown.count() == 0) {
    make_free(slot);
  } else {
    slot.state = SlotState::kCooling;
    slot.cool_until = cool_until;
    slot.fences = std::move(fences);
    Shelf& shelf = this->shelf(slot.kind);
    (slot.fences.empty() ? shelf.timed : shelf.fenced).push_back(&slot);
    notify();  // to wait until it has cooled
  }
}

void DomainPool::quarantine(Slot& slot, const Error& why) {
  {
    MutexLock lock(mutex_);
    make_quarantined(slot);
  }
  log(LogLevel::kError, fmt::format("QUARANTINE of slot {} of {}: {}", slot.id,
                                    name_of(device_->domain()), why.message));
}

void DomainPool::count_host_fallback() {
  MutexLock lock(mutex_);
  ++totals_.host_fallbacks;
}

void DomainPool::wake() {
  MutexLock lock(mutex_);
  changed_.notify_all();
}

void DomainPool::trim() {
  MutexLock lock(mutex_);
  for (const SlotKind kind : {SlotKind::kPicture, SlotKind::kBytes}) {
    std::vector<Slot*>& free = shelf(kind).free;
    while (is_over_cap(kind) && !free.empty()) {
      Slot* slot = free.front();
      free.erase(free.begin());
      retire(*slot);
    }
  }
}

PoolStats DomainPool::stats() {
  MutexLock lock(mutex_);
  for (Shelf& shelf : shelves_) {
    settle_by_time(shelf);
    settle_by_fences(shelf, [] { return false; });
  }
  PoolStats stats = totals_;
  stats.cap = cap_;
  stats.slots = shelf(SlotKind::kPicture).slots;
  stats.reserve = shelf(SlotKind::kReserve).slots;
  stats.byte_slots = shelf(SlotKind::kBytes).slots;
  for (const auto& slot : slots_) {
    if (slot->kind == SlotKind::kBytes) {
      if (slot->state == SlotState::kActive) ++stats.byte_active;
      continue;
    }
    switch (slot->state) {
      case SlotState::kFree:
        ++stats.free;
        break;
      case SlotState::kActive:
        ++stats.active;
        break;
      case SlotState::kCooling:
        ++stats.cooling;
        break;
      case SlotState::kQuarantined:
        ++stats.quarantined;
        break;
    }
  }
  return stats;
}

TimePoint DomainPool::next_change(const Shelf& shelf) {
  const TimePoint poll = clock_.now() + kFencePoll;
  // What another thread is asking right now may be free the moment after, and nobody would tell.
  TimePoint next = shelf.asked > 0 ? poll : TimePoint::max();
  if (!shelf.timed.empty()) next = std::min(next, shelf.timed.front()->cool_until);
  for (const Slot* slot : shelf.fenced) next = std::min(next, std::max(slot->cool_until, poll));
  return next;
}

std::string DomainPool::pool_full_line(const Error& why) {
  const TimePoint now = clock_.now();
  if (pool_full_logged_ && now - *pool_full_logged_ < kPoolFullEvery) return {};
  const std::uint64_t times = totals_.exhausted - exhausted_when_logged_;
  exhausted_when_logged_ = totals_.exhausted;
  pool_full_logged_ = now;
  return fmt::format(
      "POOL FULL on {}: {} ({} times since last said; raise the cap, now {}, or release sooner)",
      name_of(device_->domain()), why.message, times, cap_.load());
}

}  // namespace nv12slot
