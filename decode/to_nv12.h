// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "ffmpeg.h"
#include "nv12slot/nv12_layout.h"
#include "nv12slot/result.h"

struct SwsContext;

namespace nv12slot::decode {

/// Writes decoded pictures of the CPU as NV12. Planar and semi-planar 4:2:0 keep their samples;
/// more than 8 bits are rounded to the nearest, as Device::convert_p010() does; all else goes
/// through libswscale. One thread.
class ToNv12 {
 public:
  ToNv12();
  ~ToNv12();

  /// The upper left `width` x `height` pixels (both even) of `frame` to host memory.
  /// kInvalidArgument for a pixel format that libswscale does not take either, kOutOfMemory.
  [[nodiscard]] Status write(const AVFrame& frame, const Nv12Planes& to, std::uint32_t width,
                             std::uint32_t height);

 private:
  [[nodiscard]] Status scale(const AVFrame& frame, const Nv12Planes& to, int width, int height);

  SwsContext* scaler_ = nullptr;
};

}  // namespace nv12slot::decode
