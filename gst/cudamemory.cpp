// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cudamemory.h"

#include "config.h"

#ifdef HAVE_CUDA
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudamemory.h>
#endif

namespace nv12slot::gst {

#ifdef HAVE_CUDA

static_assert(static_cast<int>(kMapCuda) == GST_MAP_CUDA);

bool is_cuda_memory(GstMemory* memory) {
  return gst_is_cuda_memory(memory);
}

const GstVideoInfo& cuda_memory_info(GstMemory* memory) {
  return GST_CUDA_MEMORY_CAST(memory)->info;
}

void* cuda_memory_context(GstMemory* memory) {
  return gst_cuda_context_get_handle(GST_CUDA_MEMORY_CAST(memory)->context);
}

#if GST_CHECK_VERSION(1, 24, 0)

bool cuda_memory_is_pending(GstMemory* memory, StreamHandle* stream) {
  if (!GST_MEMORY_FLAG_IS_SET(memory, GST_CUDA_MEMORY_TRANSFER_NEED_SYNC)) return false;
  // Without a stream of its own it is CUDA's default stream, whose handle is nullptr.
  GstCudaStream* own = gst_cuda_memory_get_stream(GST_CUDA_MEMORY_CAST(memory));
  *stream = own != nullptr ? gst_cuda_stream_get_handle(own) : nullptr;
  return true;
}

void cuda_memory_set_complete(GstMemory* memory) {
  GST_MEMORY_FLAG_UNSET(memory, GST_CUDA_MEMORY_TRANSFER_NEED_SYNC);
}

#else

bool cuda_memory_is_pending(GstMemory*, StreamHandle*) {
  return false;
}

void cuda_memory_set_complete(GstMemory*) {}

#endif

#else

bool is_cuda_memory(GstMemory*) {
  return false;
}

// Never called, as no memory is CUDA memory.
const GstVideoInfo& cuda_memory_info(GstMemory*) {
  g_assert_not_reached();
}

void* cuda_memory_context(GstMemory*) {
  g_assert_not_reached();
}

bool cuda_memory_is_pending(GstMemory*, StreamHandle*) {
  g_assert_not_reached();
}

void cuda_memory_set_complete(GstMemory*) {
  g_assert_not_reached();
}

#endif

}  // namespace nv12slot::gst
