// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "nv12slot/clock.h"
#include "nv12slot/device.h"
#include "nv12slot/lease.h"
#include "nv12slot/quota.h"

namespace nv12slot {

class DomainPool;
class SlotPool;

/// What acquire() does when the domain has no slot to give: every slot taken and the cap reached,
/// the quota used up, or the device out of memory.
enum class OnExhausted {
  kDrop,   ///< fail at once
  kBlock,  ///< wait for a slot until the time-out, then fail with kTimedOut
  kHost,   ///< take a slot of the host domain instead; fail when that has none either
};

/// Wakes acquire() calls that block, and fails later ones until reset. Any thread.
class Canceller {
 public:
  /// `pool` is woken; it outlives this object.
  explicit Canceller(SlotPool& pool) : pool_(pool) {}
  void cancel();
  void reset() { cancelled_.store(false); }
  [[nodiscard]] bool is_cancelled() const { return cancelled_.load(); }

 private:
  SlotPool& pool_;
  std::atomic<bool> cancelled_{false};
};

/// Most bytes that AcquireRequest::bytes may ask for.
inline constexpr std::size_t kMaxSlotBytes = std::size_t{1} << 30;

/// Asks for a slot for a picture of `width` x `height`, or for one of `bytes` bytes.
struct AcquireRequest {
  Domain domain = kHostDomain;
  std::uint32_t width = 0;   ///< pixels, even
  std::uint32_t height = 0;  ///< pixels, even
  OnExhausted on_exhausted = OnExhausted::kDrop;
  Duration timeout{0};                ///< for kBlock; what is longer than a year is a year
  std::shared_ptr<Quota> quota = {};  ///< charged for the slot; may be empty
  const Canceller* canceller = nullptr;
  /// Ask for a reserve slot: apart from the cap and from every other request, for the one frame
  /// that a decoder must put somewhere although the pool is exhausted. At most one a decoder.
  bool reserve = false;
  /// Ask for plain bytes instead of a picture, for a tensor: 1 to kMaxSlotBytes; width and
  /// height must be 0 then, and `reserve` false. The lease's planes().y is the address of at least
  /// this many bytes, aligned to at least 256 on a GPU and 64 on the host; its layout() is empty.
  std::size_t bytes = 0;
};

/// A domain's slots now, and what happened since the process began. Byte slots are in the numbers
/// named after them, in `bytes`, and in what is counted since the beginning, and in no other.
struct PoolStats {
  /// Slots for pictures. `cap` is that of the byte slots too, each kind for itself; `slots` leaves
  /// out the reserve ones, the four states do not.
  unsigned cap = 0, slots = 0, free = 0, active = 0, cooling = 0, quarantined = 0, reserve = 0;
  unsigned byte_slots = 0;   ///< slots of plain bytes that exist
  unsigned byte_active = 0;  ///< of these, leased now
  std::uint64_t bytes = 0;   ///< of all slots, the reserve and the quarantined ones included
  std::uint64_t acquired = 0, allocated = 0, retired = 0;
  std::uint64_t exhausted = 0;  ///< times no slot was to be had at first, whatever the policy did
  std::uint64_t quota_refused = 0;  ///< of these, because the source's quota was used up
  std::uint64_t out_of_memory = 0;  ///< of these, because the device had no memory
  std::uint64_t blocked = 0, timed_out = 0, host_fallbacks = 0;
};

struct PoolSettings {
  unsigned cap = 64;  ///< slots a domain for pictures, and as many for bytes; 1 to kMaxCap
  Duration cooldown = std::chrono::milliseconds(50);
};

/// Opens a domain for a pool; called once for each, on the first use, with no lock held.
using DeviceOpener = std::function<Result<std::unique_ptr<Device>>(Domain)>;

/// Every slot of the process. One instance in a process (Process::get()); tests make their own.
///
/// A slot's life: FREE -> ACTIVE (leased) -> COOLING (released, perhaps still read) -> FREE; from
/// ACTIVE or COOLING to QUARANTINED, for good, when a copy or a fence fails. A slot leaves COOLING
/// when all its fences are complete and, if its release asked for it, the cooldown has passed.
/// acquire() takes a FREE slot of the exact size, else a cooled one, else a larger one, else makes
/// one while the domain is under its cap, else retires the longest idle FREE slot that is too
/// small for the request and makes one in its place, else does what the request says. Where the
/// device has no memory for a new slot, idle ones that are too small give theirs.
///
/// Slots for pictures and slots of plain bytes never take each other's place: what is said above
/// holds for each kind by itself, the cap too. All else is one: quotas, cooldown, cancelling.
///
/// Threads: every call from any thread. Locks: one mutex a domain, inside which only the reaper's
/// queue is locked, never held across a driver call, a callback or a log line. A thread that
/// queries the fences of a slot first takes the slot out of COOLING, so that it is its alone.
class SlotPool {
 public:
  static constexpr unsigned kMaxCap = 4096;
  static constexpr Duration kMaxCooldown = std::chrono::seconds(10);

  SlotPool(Clock& clock, DeviceOpener open, const PoolSettings& settings);
  /// All leases must have been released. Frees every slot.
  ~SlotPool();
  SlotPool(const SlotPool&) = delete;
  SlotPool& operator=(const SlotPool&) = delete;

  /// A slot that nobody reads or writes any more. Warm, this makes no driver call but the queries
  /// of fences. Blocks only with OnExhausted::kBlock. lease.domain() tells a host fallback.
  /// Errors: kInvalidArgument, kNoDevice, kOutOfMemory, kExhausted, kQuotaExceeded, kTimedOut,
  /// kCancelled, kDeviceFailed, kExiting.
  [[nodiscard]] Result<Lease> acquire(const AcquireRequest& request);

  /// The domain's device, opened at the first call. Errors as of the DeviceOpener.
  [[nodiscard]] Result<Device*> device(Domain domain);

  /// Slots a domain may have of each kind; 1 to kMaxCap, else kInvalidArgument. A lower cap takes
  /// effect as slots are released: nothing is taken away from anybody.
  [[nodiscard]] Status set_cap(unsigned cap);
  /// How long a release without a fence cools; 0 to kMaxCooldown, else kInvalidArgument. For
  /// releases from now on.
  [[nodiscard]] Status set_cooldown(Duration cooldown);
  [[nodiscard]] PoolSettings settings() const;

  /// As they are now: fences that are due are asked first. Zeroes for a domain that was never
  /// opened.
  [[nodiscard]] PoolStats stats(Domain domain) const;

  /// Domains opened so far, the host included, in ascending order.
  [[nodiscard]] std::vector<Domain> domains() const;

  [[nodiscard]] Clock& clock() const { return clock_; }

 private:
  friend class Canceller;

  void wake_all();
  Result<DomainPool*> open(Domain domain) NV12SLOT_EXCLUDES(open_mutex_);
  DomainPool* opened(Domain domain) const;

  Clock& clock_;
  const DeviceOpener opener_;
  std::atomic<unsigned> cap_;
  std::atomic<Duration::rep> cooldown_ns_;
  Mutex open_mutex_;
  CondVar open_changed_;
  std::array<bool, kMaxDomains> opening_ NV12SLOT_GUARDED_BY(open_mutex_){};
  // Each is published once, under open_mutex_, and constant from then on: read without it.
  std::array<std::atomic<DomainPool*>, kMaxDomains> domains_{};
};

/// The defaults, with NV12SLOT_POOL_CAP (slots) and NV12SLOT_POOL_COOLDOWN_MS (milliseconds, may
/// be fractional) applied. A value that is out of range is logged and ignored.
[[nodiscard]] PoolSettings pool_settings_from_environment();

}  // namespace nv12slot
