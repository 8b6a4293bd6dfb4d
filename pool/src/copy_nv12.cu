// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstddef>
#include <cstdint>

namespace {

constexpr unsigned kVector = sizeof(uint4);

// To the nearest 8-bit value; the low bits of narrower samples are 0 (nv12slot/device.h).
__device__ uint32_t to_8_bits(uint32_t sample) {
  return min((sample + 128) >> 8, 255u);
}

// Two samples in a word to two bytes.
__device__ uint32_t to_8_bits_each(uint32_t two) {
  return to_8_bits(two & 0xffff) | to_8_bits(two >> 16) << 8;
}

__device__ uint32_t to_8_bits_each(uint32_t first, uint32_t second) {
  return to_8_bits_each(first) | to_8_bits_each(second) << 16;
}

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

// The same for a picture of 16-bit samples, which become 8-bit ones. `width` counts the samples of
// a row. Addresses and pitches of the source are multiples of 2; where those of both sides are
// multiples of 16 (`is_aligned`), sixteen samples are taken at once.
extern "C" __global__ void nv12slot_convert_p010(const uint8_t* src_y, size_t src_y_pitch,
                                                 const uint8_t* src_uv, size_t src_uv_pitch,
                                                 uint8_t* dst_y, size_t dst_y_pitch,
                                                 uint8_t* dst_uv, size_t dst_uv_pitch,
                                                 uint32_t width, uint32_t height,
                                                 uint32_t is_aligned) {
  const uint32_t rows = height + height / 2;
  const uint32_t vectors = is_aligned != 0 ? width / kVector : 0;
  for (uint32_t row = blockIdx.x * blockDim.y + threadIdx.y; row < rows;
       row += gridDim.x * blockDim.y) {
    const bool is_y = row < height;
    const uint8_t* src = is_y ? src_y + row * src_y_pitch : src_uv + (row - height) * src_uv_pitch;
    uint8_t* dst = is_y ? dst_y + row * dst_y_pitch : dst_uv + (row - height) * dst_uv_pitch;
    for (uint32_t i = threadIdx.x; i < vectors; i += blockDim.x) {
      const uint4 low = reinterpret_cast<const uint4*>(src)[2 * i];
      const uint4 high = reinterpret_cast<const uint4*>(src)[2 * i + 1];
      reinterpret_cast<uint4*>(dst)[i] =
          make_uint4(to_8_bits_each(low.x, low.y), to_8_bits_each(low.z, low.w),
                     to_8_bits_each(high.x, high.y), to_8_bits_each(high.z, high.w));
    }
    for (uint32_t i = vectors * kVector + threadIdx.x; i < width; i += blockDim.x) {
      dst[i] = static_cast<uint8_t>(to_8_bits(reinterpret_cast<const uint16_t*>(src)[i]));
    }
  }
}
