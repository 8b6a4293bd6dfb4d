// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "nv12slot/device.h"

namespace nv12slot {

/// A point in a stream: an event of the device's, recorded once. Move-only; gives its event back
/// when destroyed. Calls on different fences may come from different threads.
class Fence {
 public:
  /// Marks the end of what is in `stream` now. `device` outlives the fence (devices live for ever).
  /// Fails with kDeviceFailed or kExiting.
  [[nodiscard]] static Result<Fence> record(Device& device, StreamHandle stream);

  Fence(Fence&& other) noexcept;
  Fence& operator=(Fence&& other) noexcept;
  ~Fence();

  /// True once the point was reached; does not block. An Error when the device failed.
  [[nodiscard]] Result<bool> is_complete() const;

  /// Work put into `stream` from now on waits, on the GPU, for this point. `stream` may belong to
  /// another device.
  [[nodiscard]] Status make_wait(StreamHandle stream) const;

 private:
  Fence(Device& device, EventHandle event) : device_(&device), event_(event) {}

  Device* device_;  // nullptr once moved from
  EventHandle event_;
};

}  // namespace nv12slot
