// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "nv12slot/frame_registry.h"

namespace nv12slot {

/// A frame. Owned by its references together: the one that brings `references` to zero takes it
/// out of the table and deletes it. Constant but for the marked fields.
struct FrameRecord {
  FrameRecord(FrameRegistry& its_registry, Lease its_lease, InFlight its_in_flight)
      : registry(its_registry), in_flight(std::move(its_in_flight)), lease(std::move(its_lease)) {}

  FrameRegistry& registry;
  FrameId id = 0;
  std::uint64_t pts = kNoPts;
  FrameColour colour;
  TimePoint attached{};
  ReleaseCallback on_release;
  std::unique_ptr<Fence> ready;  ///< after the copy that fills the slot; nullptr: filled

  std::atomic<unsigned> references{1};
  std::atomic<bool> all_readers_fence{false};
  unsigned held_by_id = 0;   ///< of the references; guarded by the registry's mutex
  bool was_evicted = false;  ///< lost those by id, and gets no more; guarded likewise

  Mutex mutex;
  std::vector<Fence> fences NV12SLOT_GUARDED_BY(mutex);

  // Destroyed from the last: the slot is back in the pool before the source counts one frame less.
  InFlight in_flight;
  Lease lease;
};

}  // namespace nv12slot
