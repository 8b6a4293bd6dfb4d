// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <memory>

#include "slothold.h"

namespace nv12slot::gst {

/// A GstCudaMemory of a slot, from an allocator of ours that is a GstCudaAllocator, so that
/// gst_is_cuda_memory() and GST_MAP_CUDA work as with any other. The whole memory can be shared
/// between buffers; a part of it cannot, as it would be CUDA memory to nobody, and is copied to
/// system memory instead. `info` has the slot's strides, offsets and size; `stream` is a
/// GstCudaStream or nullptr. nullptr when gst-cuda refuses.
[[nodiscard]] GstMemory* slot_cuda_memory_new(std::unique_ptr<SlotHold> hold,
                                              const GstVideoInfo& info, GstObject* context,
                                              gpointer stream);

}  // namespace nv12slot::gst
