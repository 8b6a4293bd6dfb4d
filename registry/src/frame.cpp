// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/frame.h"

#include <utility>

#include "frame_record.h"
#include "source_state.h"

namespace nv12slot {

FrameRef::FrameRef(const FrameRef& other) : record_(other.record_) {
  if (record_ != nullptr) record_->references.fetch_add(1, std::memory_order_relaxed);
}

FrameRef::FrameRef(FrameRef&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}

FrameRef& FrameRef::operator=(FrameRef other) noexcept {
  std::swap(record_, other.record_);
  return *this;
}

FrameRef::~FrameRef() {
  if (record_ != nullptr) record_->registry.drop(record_);
}

FrameId FrameRef::id() const {
  return record_->id;
}

Domain FrameRef::domain() const {
  return record_->lease.domain();
}

Device& FrameRef::device() const {
  return record_->lease.device();
}

const Nv12Layout& FrameRef::layout() const {
  return record_->lease.layout();
}

Nv12Planes FrameRef::planes() const {
  return record_->lease.planes();
}

std::uint64_t FrameRef::pts() const {
  return record_->pts;
}

const std::string& FrameRef::source_name() const {
  return record_->in_flight.source_name();
}

const FrameColour& FrameRef::colour() const {
  return record_->colour;
}

bool FrameRef::is_complete_at_attach() const {
  return record_->ready == nullptr;
}

Status FrameRef::wait(StreamHandle stream) const {
  return record_->ready != nullptr ? record_->ready->make_wait(stream) : Status();
}

Status FrameRef::fence(StreamHandle stream, Device* stream_device) const {
  if (stream_device == nullptr && domain() == kHostDomain && stream != nullptr) {
    set_reader_without_fence();
    return Error{Errc::kInvalidArgument,
                 "a frame of the host is fenced with a stream: say which device it belongs to"};
  }
  Result<Fence> fence = Fence::record(stream_device != nullptr ? *stream_device : device(), stream);
  if (!fence) {
    set_reader_without_fence();
    return fence.error();
  }
  MutexLock lock(record_->mutex);
  record_->fences.push_back(std::move(fence).value());
  return {};
}

void FrameRef::set_all_readers_fence() const {
  record_->all_readers_fence.store(true);
}

void FrameRef::set_reader_without_fence() const {
  record_->all_readers_fence.store(false);
}

}  // namespace nv12slot
