// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/fence.h"

#include <utility>

namespace nv12slot {

Result<Fence> Fence::record(Device& device, StreamHandle stream) {
  Result<EventHandle> event = device.take_event();
  if (!event) return event.error();
  Fence fence(device, *event);  // gives the event back if recording fails
  if (Status status = device.record(*event, stream); !status) return status.error();
  return fence;
}

Fence::Fence(Fence&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)), event_(other.event_) {}

Fence& Fence::operator=(Fence&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(event_, other.event_);
  return *this;
}

Fence::~Fence() {
  if (device_ != nullptr) device_->give_event(event_);
}

Result<bool> Fence::is_complete() const {
  return device_->is_complete(event_);
}

Status Fence::make_wait(StreamHandle stream) const {
  return device_->wait(stream, event_);
}

}  // namespace nv12slot
