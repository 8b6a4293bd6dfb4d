// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "nv12slot/result.h"

namespace nv12slot {

/// How one NV12 picture lies in a slot: the Y plane (height rows) at offset 0, the interleaved UV
/// plane (height / 2 rows) right behind it at pitch * height, both with the same pitch in bytes.
struct Nv12Layout {
  std::uint32_t width = 0;   ///< pixels, even
  std::uint32_t height = 0;  ///< pixels, even
  std::size_t pitch = 0;     ///< bytes from row to row, a multiple of the device's alignment

  [[nodiscard]] std::size_t uv_offset() const { return pitch * height; }
  [[nodiscard]] std::size_t size() const { return pitch * height / 2 * 3; }

  friend bool operator==(const Nv12Layout&, const Nv12Layout&) = default;
};

/// Largest side of a picture, in pixels; what NVDEC takes at most is 8192.
inline constexpr std::uint32_t kMaxSide = 16384;

/// The layout of a width x height picture on a device that aligns rows to `alignment` bytes. On
/// CUDA devices the pitch equals the one cuMemAllocPitch gives, which GStreamer's own copy of
/// wrapped CUDA memory depends on. Fails with kInvalidArgument for a side that is zero, odd or
/// larger than kMaxSide.
[[nodiscard]] Result<Nv12Layout> nv12_layout(std::uint32_t width, std::uint32_t height,
                                             std::size_t alignment);

/// The two planes of an NV12 picture in one domain, borrowed. Addresses are host pointers or
/// CUdeviceptr values; pitches are in bytes.
struct Nv12Planes {
  std::uintptr_t y = 0;
  std::uintptr_t uv = 0;
  std::size_t y_pitch = 0;
  std::size_t uv_pitch = 0;
};

}  // namespace nv12slot
