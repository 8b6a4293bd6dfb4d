// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda_pictures.h"

#include <gst/cuda/gstcudamemory.h>

namespace nv12slot::bench {
namespace {

/// Has what the CPU wrote brought to the device, in the memory's stream.
void upload(GstMemory* memory, [[maybe_unused]] Writing writing) {
  GstMapInfo map;
  if (gst_memory_map(memory, &map, static_cast<GstMapFlags>(GST_MAP_READ | GST_MAP_CUDA))) {
    gst_memory_unmap(memory, &map);
  }
#if GST_CHECK_VERSION(1, 24, 0)
  if (writing == Writing::kComplete) gst_cuda_memory_sync(GST_CUDA_MEMORY_CAST(memory));
#endif
}

}  // namespace

CudaPictures::CudaPictures(GstCudaContext* context, const std::string& caps, std::size_t count,
                           Writing writing)
    : pool_(gst_cuda_buffer_pool_new(context)) {
  GstCaps* const of_buffers = gst_caps_from_string(caps.c_str());
  GstStructure* const config = gst_buffer_pool_get_config(pool_.get());
  gst_buffer_pool_config_set_params(config, of_buffers, 0, 0, 0);
  gst_buffer_pool_set_config(pool_.get(), config);
  gst_buffer_pool_set_active(pool_.get(), TRUE);
  gst_caps_unref(of_buffers);
  while (pictures_.size() < count) {
    GstBuffer* buffer = nullptr;
    if (gst_buffer_pool_acquire_buffer(pool_.get(), &buffer, nullptr) != GST_FLOW_OK) return;
    gst_buffer_memset(buffer, 0, static_cast<guint8>(77 + pictures_.size()),
                      gst_buffer_get_size(buffer));
    upload(gst_buffer_peek_memory(buffer, 0), writing);
    pictures_.push_back(buffer);
  }
}

CudaPictures::~CudaPictures() {
  for (GstBuffer* picture : pictures_) gst_buffer_unref(picture);
  gst_buffer_pool_set_active(pool_.get(), FALSE);
}

}  // namespace nv12slot::bench
