// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/lease.h"

#include <utility>

#include "domain_pool.h"
#include "slot.h"

namespace nv12slot {

Lease::Lease(Lease&& other) noexcept
    : pool_(other.pool_),
      slot_(std::exchange(other.slot_, nullptr)),
      layout_(other.layout_),
      needs_cooldown_(other.needs_cooldown_),
      fences_(std::move(other.fences_)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    pool_ = other.pool_;
    slot_ = std::exchange(other.slot_, nullptr);
    layout_ = other.layout_;
    needs_cooldown_ = other.needs_cooldown_;
    fences_ = std::move(other.fences_);
  }
  return *this;
}

Lease::~Lease() {
  release();
}

Device& Lease::device() const {
  return pool_->device();
}

Domain Lease::domain() const {
  return device().domain();
}

Nv12Planes Lease::planes() const {
  if (layout_ == Nv12Layout{}) return {.y = slot_->memory};
  return {.y = slot_->memory,
          .uv = slot_->memory + layout_.uv_offset(),
          .y_pitch = layout_.pitch,
          .uv_pitch = layout_.pitch};
}

std::size_t Lease::capacity() const {
  return slot_->capacity;
}

StreamHandle Lease::stream() const {
  return slot_->stream;
}

unsigned Lease::slot_id() const {
  return slot_->id;
}

void Lease::quarantine(const Error& why) {
  fences_.clear();
  if (slot_ != nullptr) pool_->quarantine(*std::exchange(slot_, nullptr), why);
}

void Lease::release() {
  if (slot_ == nullptr) return;
  pool_->release(*std::exchange(slot_, nullptr), needs_cooldown_, std::move(fences_));
  fences_.clear();
}

}  // namespace nv12slot
