// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/cuda/gstcudabufferpool.h>
#include <gst/gst.h>

#include <string>
#include <vector>

#include "raii.h"

namespace nv12slot::bench {

/// Whether who reads a picture in GStreamer's CUDA memory has to come after its writer's stream.
enum class Writing {
  kComplete,
  kPending,  ///< for good; as nvh264dec gives them. Since GStreamer 1.24.
};

/// Grey pictures in a pool of GStreamer's own for CUDA memory, as a decoder of its would give them.
class CudaPictures {
 public:
  /// `caps` with memory:CUDAMemory.
  CudaPictures(GstCudaContext* context, const std::string& caps, std::size_t count,
               Writing writing);
  ~CudaPictures();
  CudaPictures(const CudaPictures&) = delete;
  CudaPictures& operator=(const CudaPictures&) = delete;

  /// Fewer than were asked for where the device has no memory. Borrowed.
  [[nodiscard]] const std::vector<GstBuffer*>& get() const { return pictures_; }

 private:
  gst::ObjectPtr<GstBufferPool> pool_;
  std::vector<GstBuffer*> pictures_;
};

}  // namespace nv12slot::bench
