// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstddef>
#include <cstdint>

namespace {

constexpr unsigned kVector = sizeof(uint4);

}  // namespace

// Copies both planes of an NV12 picture in one launch. Addresses and pitches are multiples of 16;
// `width` is in bytes and need not be, `height` counts the rows of Y. One row for each threadIdx.y,
// any block and grid shape. Reads and writes nothing outside the picture: row padding may be
// somebody else's. docs/performance.md compares it with the driver's own copies.
extern "C" __global__ void nv12slot_copy_nv12(const uint8_t* src_y, size_t src_y_pitch,
                                              const uint8_t* src_uv, size_t src_uv_pitch,
                                              uint8_t* dst_y, size_t dst_y_pitch, uint8_t* dst_uv,
                                              size_t dst_uv_pitch, uint32_t width,
                                              uint32_t height) {
  const uint32_t rows = height + height / 2;
  const uint32_t vectors = width / kVector;
  for (uint32_t row = blockIdx.x * blockDim.y + threadIdx.y; row < rows;
       row += gridDim.x * blockDim.y) {
    const bool is_y = row < height;
    const uint8_t* src = is_y ? src_y + row * src_y_pitch : src_uv + (row - height) * src_uv_pitch;
    uint8_t* dst = is_y ? dst_y + row * dst_y_pitch : dst_uv + (row - height) * dst_uv_pitch;
    for (uint32_t i = threadIdx.x; i < vectors; i += blockDim.x) {
      reinterpret_cast<uint4*>(dst)[i] = reinterpret_cast<const uint4*>(src)[i];
    }
    for (uint32_t i = vectors * kVector + threadIdx.x; i < width; i += blockDim.x) {
      dst[i] = src[i];
    }
  }
}
