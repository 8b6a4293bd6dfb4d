// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "nv12slot/frame.h"
#include "nv12slot/lease.h"
#include "nv12slot/source.h"

namespace nv12slot {

/// Told when a frame's last reference is gone, before its slot goes back to the pool. Runs on the
/// thread that dropped the reference, with no lock held; never after Source::close() returned.
using ReleaseCallback = std::function<void(FrameId)>;

struct RegistryStats {
  unsigned frames = 0;  ///< frames with a reference now
  unsigned held = 0;    ///< of these, held by id
  std::uint64_t attached = 0, released = 0, evicted = 0;
  std::uint64_t stale_lookups = 0;  ///< lookups and holds of an id whose frame is gone or evicted
};

/// Every frame that somebody can read. One instance in a process (Process::get()); tests make
/// their own, which must outlive its frames.
///
/// Two kinds of reference: FrameRef, owned, for code; and hold()/unhold() by id, counted, for
/// consumers that can only keep a number. Only the second kind can be evicted.
///
/// Locks: the table's mutex is a leaf; callbacks run and leases are released without it. A frame's
/// own mutex guards its fences, likewise a leaf.
class FrameRegistry {
 public:
  explicit FrameRegistry(Clock& clock);
  /// All references must be gone.
  ~FrameRegistry();
  FrameRegistry(const FrameRegistry&) = delete;
  FrameRegistry& operator=(const FrameRegistry&) = delete;

  /// Makes a frame of a filled slot. `in_flight` is the guard that its source gave for it; `pts`
  /// in nanoseconds or kNoPts. `ready`, where given, is a fence after the copy that fills the slot:
  /// readers order themselves by FrameRef::wait, and the slot is not reused before it; without one
  /// the picture must be complete. Returns the first reference.
  [[nodiscard]] FrameRef attach(Lease lease, InFlight in_flight, std::uint64_t pts,
                                ReleaseCallback on_release = {}, std::unique_ptr<Fence> ready = {},
                                const FrameColour& colour = {});

  /// The frame of that name; an empty reference when it is gone (its id is never used again).
  [[nodiscard]] FrameRef lookup(FrameId id);

  /// Takes a reference by id; false when the frame is gone, or was evicted once, although others
  /// may still have it.
  [[nodiscard]] bool hold(FrameId id);
  /// Gives one back; false when the frame is gone, evicted, or not held by id.
  bool unhold(FrameId id);

  /// Frames held by id for longer than `limit` since they were attached lose those references when
  /// evict_old() runs (attach() runs it too, at most once a second). 0, the default: never.
  void set_age_limit(Duration limit);
  /// Returns how many frames were evicted.
  std::size_t evict_old();

  [[nodiscard]] RegistryStats stats() const;

  /// How long ago the oldest frame of `source` that still has a reference was attached; 0 where
  /// there is none. Looks at every frame: for statistics.
  [[nodiscard]] Duration oldest_age(const Source& source) const;

 private:
  friend class FrameRef;
  struct Table;
  /// Gives one reference back.
  void drop(FrameRecord* record);

  Clock& clock_;
  std::unique_ptr<Table> table_;
};

}  // namespace nv12slot
