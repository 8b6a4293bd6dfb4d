// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <vector>

#include "nv12slot/clock.h"
#include "nv12slot/device.h"
#include "nv12slot/fence.h"
#include "nv12slot/quota.h"

namespace nv12slot {

enum class SlotState { kFree, kActive, kCooling, kQuarantined };

/// Memory for one NV12 picture with a stream of its own. Owned by its DomainPool; whoever holds
/// the Lease has the memory and the stream, the DomainPool's mutex guards the fields below them.
struct Slot {
  const unsigned id;
  const bool is_reserve;
  const std::uintptr_t memory;
  const std::size_t capacity;  ///< bytes
  const StreamHandle stream;

  SlotState state = SlotState::kActive;
  TimePoint cool_until{};             ///< while COOLING; not before this
  std::vector<Fence> fences = {};     ///< while COOLING; not before all of these
  std::shared_ptr<Quota> quota = {};  ///< what was charged, from ACTIVE until FREE
};

}  // namespace nv12slot
