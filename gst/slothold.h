// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <optional>

#include "nv12slot/frame_registry.h"
#include "nv12slot/lease.h"
#include "nv12slot/mutex.h"
#include "nv12slotframe.h"

namespace nv12slot::gst {

/// The slot that a buffer pool gives to a decoder which must put a frame somewhere although no slot
/// is to be had. There is one, so a second such frame overwrites the first.
struct Reserve {
  explicit Reserve(Lease l) : lease(std::move(l)) {}
  const Lease lease;
  std::atomic<std::uint64_t> uses{0};
};

/// What a GstMemory made of a slot owns, so that whoever keeps only the memory keeps the slot.
///
/// States: leased (from acquire on) -> attached (a frame of the registry, once an element knows
/// whose it is); or spilled: memory of a Reserve, never attached. Owned by the memory; any thread.
class GST_NV12_SLOT_API SlotHold {
 public:
  explicit SlotHold(Lease lease);
  explicit SlotHold(std::shared_ptr<Reserve> reserve);
  ~SlotHold();
  SlotHold(const SlotHold&) = delete;
  SlotHold& operator=(const SlotHold&) = delete;

  /// Borrowed from `memory`; nullptr where it is not one of ours, but, say, a part of one.
  static SlotHold* find(GstMemory* memory);
  /// Makes find() work; the memory's free function must delete the hold.
  void tie_to(GstMemory* memory);

  [[nodiscard]] Device& device() const { return device_; }
  /// Empty where the slot is one of plain bytes, which begin where planes() has Y.
  [[nodiscard]] const Nv12Layout& layout() const { return layout_; }
  [[nodiscard]] const Nv12Planes& planes() const { return planes_; }

  [[nodiscard]] bool is_spilled() const { return reserve_ != nullptr; }
  /// Spilled, and overwritten by a later frame since.
  [[nodiscard]] bool is_overwritten() const;

  /// A reference to the frame; empty unless attached.
  [[nodiscard]] FramePtr frame() const;

  /// Makes the frame; returns the one there is if another element was faster, for which it waits.
  /// Empty where there is no lease: spilled, or quarantined. Arguments as of
  /// FrameRegistry::attach.
  [[nodiscard]] FramePtr attach(FrameRegistry& registry, InFlight in_flight, std::uint64_t pts,
                                std::unique_ptr<Fence> ready,
                                const GstVideoColorimetry& colorimetry);

  /// Gives the slot up for good. Does nothing unless leased.
  void quarantine(const Error& why);

 private:
  Device& device_;
  const Nv12Layout layout_;
  const Nv12Planes planes_;
  const std::shared_ptr<Reserve> reserve_;
  const std::uint64_t reserve_use_ = 0;

  mutable Mutex mutex_;
  CondVar attached_;
  bool attaching_ NV12SLOT_GUARDED_BY(mutex_) = false;
  std::optional<Lease> lease_ NV12SLOT_GUARDED_BY(mutex_);
  FramePtr frame_ NV12SLOT_GUARDED_BY(mutex_);
};

/// A memory that owns `hold`. `info` is the picture's; its strides, offsets and size are replaced
/// by the slot's. On a device `context` is a GstCudaContext of the device's primary context and
/// `stream`, where given, the GstCudaStream in which the memory will be written. nullptr when
/// gst-cuda refuses.
[[nodiscard]] GST_NV12_SLOT_API GstMemory* slot_memory_new(std::unique_ptr<SlotHold> hold,
                                                           const GstVideoInfo& info,
                                                           GstObject* context, gpointer stream);

/// A memory that owns `hold`, a slot of plain bytes, of `bytes` bytes; the slot has that many
/// rounded up to kByteStep. `context` as above. nullptr when gst-cuda refuses.
[[nodiscard]] GST_NV12_SLOT_API GstMemory* byte_memory_new(std::unique_ptr<SlotHold> hold,
                                                           std::size_t bytes, GstObject* context);
/// What slots of plain bytes are rounded up to.
inline constexpr std::size_t kByteStep = 512;

/// A buffer with such a memory and the GstVideoMeta that goes with it. Errors: kDeviceFailed.
[[nodiscard]] GST_NV12_SLOT_API GstBuffer* slot_buffer_new(std::unique_ptr<SlotHold> hold,
                                                           const GstVideoInfo& info,
                                                           GstObject* context, gpointer stream);

/// Adds the meta for `frame`, unless there is one, to a writable buffer.
GST_NV12_SLOT_API void buffer_add_slot_meta(GstBuffer* buffer, FramePtr frame);

}  // namespace nv12slot::gst
