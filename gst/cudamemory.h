// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot-prelude.h>
#include <gst/video/video.h>

#include "nv12slot/device.h"

// All that the rest of gst/ needs of gst-cuda's memories, so that it compiles the same without CUDA
// (where no memory is CUDA memory) and with each version of gst-cuda.
namespace nv12slot::gst {

/// GST_MAP_CUDA: maps CUDA memory to its device address.
inline constexpr int kMapCuda = GST_MAP_FLAG_LAST << 1;
inline constexpr const char* kCudaFeature = "memory:CUDAMemory";

[[nodiscard]] GST_NV12_SLOT_API bool is_cuda_memory(GstMemory* memory);

// The rest is for CUDA memories only.

/// The picture's real strides, offsets and size, borrowed.
[[nodiscard]] GST_NV12_SLOT_API const GstVideoInfo& cuda_memory_info(GstMemory* memory);
/// The CUcontext it belongs to.
[[nodiscard]] GST_NV12_SLOT_API void* cuda_memory_context(GstMemory* memory);
/// True if the memory may still be being written; `stream` is the CUstream that does it. Never with
/// GStreamer before 1.24, whose elements synchronize before they push.
[[nodiscard]] GST_NV12_SLOT_API bool cuda_memory_is_pending(GstMemory* memory,
                                                            StreamHandle* stream);
/// The caller sees to it that nobody reads before that stream is done.
GST_NV12_SLOT_API void cuda_memory_set_complete(GstMemory* memory);

}  // namespace nv12slot::gst
