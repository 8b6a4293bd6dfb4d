// SPDX-License-Identifier: LGPL-2.1-or-later
#include "slothold.h"

#include <gst/nv12slot/nv12slotmeta.h>

#include <utility>

#include "slotcudaallocator.h"

namespace nv12slot::gst {
namespace {

GQuark hold_quark() {
  static const GQuark quark = g_quark_from_static_string("GstNv12SlotHold");
  return quark;
}

/// `info` with the slot's layout, as GstCudaMemory and GstVideoMeta want it.
GstVideoInfo with_layout(const GstVideoInfo& info, const Nv12Layout& layout) {
  GstVideoInfo result = info;
  result.stride[0] = result.stride[1] = static_cast<gint>(layout.pitch);
  result.offset[0] = 0;
  result.offset[1] = layout.uv_offset();
  result.size = layout.size();
  return result;
}

GstMemory* host_memory_new(std::unique_ptr<SlotHold> hold, std::size_t bytes) {
  SlotHold* const borrowed = hold.get();
  GstMemory* memory = gst_memory_new_wrapped(
      static_cast<GstMemoryFlags>(0), reinterpret_cast<gpointer>(borrowed->planes().y), bytes, 0,
      bytes, hold.release(), [](gpointer owned) { delete static_cast<SlotHold*>(owned); });
  borrowed->tie_to(memory);
  return memory;
}

}  // namespace

SlotHold::SlotHold(Lease lease)
    : device_(lease.device()),
      layout_(lease.layout()),
      planes_(lease.planes()),
      lease_(std::move(lease)) {}

SlotHold::SlotHold(std::shared_ptr<Reserve> reserve)
    : device_(reserve->lease.device()),
      layout_(reserve->lease.layout()),
      planes_(reserve->lease.planes()),
      reserve_(std::move(reserve)),
      reserve_use_(reserve_->uses.fetch_add(1) + 1) {}

SlotHold::~SlotHold() = default;

SlotHold* SlotHold::find(GstMemory* memory) {
  return static_cast<SlotHold*>(
      gst_mini_object_get_qdata(GST_MINI_OBJECT_CAST(memory), hold_quark()));
}

void SlotHold::tie_to(GstMemory* memory) {
  gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(memory), hold_quark(), this, nullptr);
}

bool SlotHold::is_overwritten() const {
  return reserve_ != nullptr && reserve_->uses.load() != reserve_use_;
}

FramePtr SlotHold::frame() const {
  MutexLock lock(mutex_);
  return FramePtr(frame_ != nullptr ? gst_nv12_slot_frame_ref(frame_.get()) : nullptr);
}

FramePtr SlotHold::attach(FrameRegistry& registry, InFlight in_flight, std::uint64_t pts,
                          std::unique_ptr<Fence> ready, const GstVideoColorimetry& colorimetry) {
  MutexLock lock(mutex_);
  while (attaching_) attached_.wait(lock);
  if (!lease_) return FramePtr(frame_ != nullptr ? gst_nv12_slot_frame_ref(frame_.get()) : nullptr);
  Lease lease = std::move(*lease_);
  lease_.reset();
  attaching_ = true;
  lock.unlock();
  FramePtr frame(frame_new(registry.attach(std::move(lease), std::move(in_flight), pts, {},
                                           std::move(ready), to_frame_colour(colorimetry))));
  lock.lock();
  frame_.reset(gst_nv12_slot_frame_ref(frame.get()));
  attaching_ = false;
  attached_.notify_all();
  return frame;
}

void SlotHold::quarantine(const Error& why) {
  std::optional<Lease> lease;
  {
    MutexLock lock(mutex_);
    lease.swap(lease_);
  }
  if (lease) lease->quarantine(why);
}

GstMemory* slot_memory_new(std::unique_ptr<SlotHold> hold, const GstVideoInfo& info,
                           GstObject* context, gpointer stream) {
  const GstVideoInfo slot_info = with_layout(info, hold->layout());
  if (hold->device().domain() == kHostDomain) {
    return host_memory_new(std::move(hold), slot_info.size);
  }
  return slot_cuda_memory_new(std::move(hold), slot_info, context, stream);
}

GstMemory* byte_memory_new(std::unique_ptr<SlotHold> hold, std::size_t bytes, GstObject* context) {
  if (hold->device().domain() == kHostDomain) return host_memory_new(std::move(hold), bytes);
  // One row, so that the memory has its size without being cut to it: gst-cuda 1.26 takes memory of
  // the host for that size, and copies the whole picture into it.
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, static_cast<guint>(bytes), 1);
  info.stride[0] = static_cast<gint>(bytes);
  info.size = bytes;
  return slot_cuda_memory_new(std::move(hold), info, context, nullptr);
}

GstBuffer* slot_buffer_new(std::unique_ptr<SlotHold> hold, const GstVideoInfo& info,
                           GstObject* context, gpointer stream) {
  GstVideoInfo slot_info = with_layout(info, hold->layout());
  GstMemory* memory = slot_memory_new(std::move(hold), info, context, stream);
  if (memory == nullptr) return nullptr;
  GstBuffer* buffer = gst_buffer_new();
  gst_buffer_append_memory(buffer, memory);
  gst_buffer_add_video_meta_full(
      buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, static_cast<guint>(slot_info.width),
      static_cast<guint>(slot_info.height), 2, slot_info.offset, slot_info.stride);
  return buffer;
}

void buffer_add_slot_meta(GstBuffer* buffer, FramePtr frame) {
  if (gst_buffer_get_nv12_slot_meta(buffer) != nullptr) return;
  auto* meta = reinterpret_cast<GstNv12SlotMeta*>(
      gst_buffer_add_meta(buffer, GST_NV12_SLOT_META_INFO, nullptr));
  meta->frame = frame.release();
}

}  // namespace nv12slot::gst
