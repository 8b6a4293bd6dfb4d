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

/// What a slot is for; slots of one kind replace each other.
enum class SlotKind {
  kPicture,
  kReserve,  ///< for a picture, apart from the cap
  kBytes,
};
inline constexpr std::size_t kSlotKinds = 3;

/// Memory for one NV12 picture, or of plain bytes, with a stream of its own. Owned by its
/// DomainPool; whoever holds the Lease has the memory and the stream, the DomainPool's mutex guards
/// the fields below them.
struct Slot {
  const unsigned id;
  const SlotKind kind;
  const std::uintptr_t memory;
  const std::size_t capacity;  ///< bytes
  const StreamHandle stream;

  SlotState state = SlotState::kActive;
  TimePoint cool_until{};             ///< while COOLING; not before this
  std::vector<Fence> fences = {};     ///< while COOLING; not before all of these
  std::shared_ptr<Quota> quota = {};  ///< what was charged, from ACTIVE until FREE
};

}  // namespace nv12slot
