// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What follows cudaconvertscale in the benchmark of tensors: planes of bytes to planes of floats.
#include <cstddef>
#include <cstdint>

// Three planes `plane_bytes` apart; four pixels a thread, `width` a multiple of 4.
extern "C" __global__ void nv12slot_normalise(const uint8_t* planes, size_t pitch,
                                              size_t plane_bytes, float* tensor, uint32_t width,
                                              uint32_t height) {
  const uint32_t x = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  const uint32_t y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;
  for (uint32_t channel = 0; channel < 3; ++channel) {
    const uchar4 four =
        *reinterpret_cast<const uchar4*>(planes + channel * plane_bytes + y * pitch + x);
    float* const to = tensor + (static_cast<size_t>(channel) * height + y) * width + x;
    *reinterpret_cast<float4*>(to) =
        make_float4(four.x / 255.0F, four.y / 255.0F, four.z / 255.0F, four.w / 255.0F);
  }
}
