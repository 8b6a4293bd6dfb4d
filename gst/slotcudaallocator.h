// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <memory>

#include "slothold.h"

namespace nv12slot::gst {

/// A GstCudaMemory of a slot for gst-cuda before 1.24, which has no call that wraps memory: from an
/// allocator of ours that is a GstCudaAllocator, so that gst_is_cuda_memory() and GST_MAP_CUDA work
/// as with any other. (Later versions read their private part of a GstCudaMemory, which this one
/// has not.) `info` has the slot's strides, offsets and size.
[[nodiscard]] GstMemory* slot_cuda_allocator_wrap(std::unique_ptr<SlotHold> hold,
                                                  const GstVideoInfo& info, GstObject* context);

}  // namespace nv12slot::gst
