// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12_to_tensor.h"

namespace nv12slot {
namespace {

constexpr uint32_t kPixels = 4;

// Four values of one type, stored at once.
__device__ void store_four(const TensorJob& job, size_t element, const float* values) {
  if (job.element_bytes == 4) {
    *reinterpret_cast<float4*>(reinterpret_cast<float*>(job.tensor) + element) =
        make_float4(values[0], values[1], values[2], values[3]);
  } else if (job.element_bytes == 2) {
    *reinterpret_cast<ushort4*>(reinterpret_cast<uint16_t*>(job.tensor) + element) = make_ushort4(
        to_half(values[0]), to_half(values[1]), to_half(values[2]), to_half(values[3]));
  } else {
    *reinterpret_cast<uchar4*>(reinterpret_cast<uint8_t*>(job.tensor) + element) =
        make_uchar4(to_byte(values[0]), to_byte(values[1]), to_byte(values[2]), to_byte(values[3]));
  }
}

__device__ void store_pixels(const TensorJob& job, uint32_t x, uint32_t y,
                             const float values[3][kPixels]) {
  if (job.channels_last == 0) {
#pragma unroll
    for (uint32_t i = 0; i < 3; ++i) store_four(job, element_at(job, x, y, i), values[i]);
    return;
  }
  const size_t element = element_at(job, x, y, 0);
#pragma unroll
  for (uint32_t i = 0; i < 3; ++i) {
    // Elements 4 i to 4 i + 3 of the twelve.
    float four[kPixels];
#pragma unroll
    for (uint32_t k = 0; k < kPixels; ++k) four[k] = values[(4 * i + k) % 3][(4 * i + k) / 3];
    store_four(job, element + 4 * i, four);
  }
}

// Four pixels of the picture side by side. No branches, so that all loads are under way at once.
__device__ void write_picture(const TensorJob& job, uint32_t x, uint32_t y) {
  const uint32_t row = y - job.top;
  const TensorRowPair luma_rows = rows_at(job.luma_y, job.y, job.y_pitch, row);
  const TensorRowPair chroma_rows = rows_at(job.chroma_y, job.uv, job.uv_pitch, row);
  int64_t luma_position = position_of(job.luma_x, x - job.left);
  int64_t chroma_position = position_of(job.chroma_x, x - job.left);
  float values[3][kPixels];
#pragma unroll
  for (uint32_t i = 0; i < kPixels; ++i) {
    const float luma = luma_at(luma_rows, sample_at(job.luma_x, luma_position));
    const TensorChroma chroma = chroma_at(chroma_rows, sample_at(job.chroma_x, chroma_position));
    luma_position += job.luma_x.step;
    chroma_position += job.chroma_x.step;
#pragma unroll
    for (int k = 0; k < 3; ++k) values[k][i] = channel_of(job, k, luma, chroma.u, chroma.v);
  }
  store_pixels(job, x, y, values);
}

__device__ void write_border(const TensorJob& job, uint32_t x, uint32_t y) {
  float values[3][kPixels];
#pragma unroll
  for (uint32_t i = 0; i < kPixels; ++i) {
#pragma unroll
    for (int k = 0; k < 3; ++k) values[k][i] = job.border[k];
  }
  store_pixels(job, x, y, values);
}

// Four pixels of a row, by the thread that has them.
__device__ void write_tensor(const TensorJob& job) {
  const uint32_t x = (blockIdx.x * blockDim.x + threadIdx.x) * kPixels;
  const uint32_t y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= job.width || y >= job.height) return;
  if (job.is_aligned != 0) {
    const uint32_t right = job.left + job.inner_width;
    const uint32_t last = x + kPixels - 1;
    if (y - job.top >= job.inner_height || x >= right || last < job.left) {
      write_border(job, x, y);
      return;
    }
    if (x >= job.left && last < right) {
      write_picture(job, x, y);
      return;
    }
  }
  for (uint32_t i = x; i < x + kPixels && i < job.width; ++i) write_pixel(job, i, y);
}

}  // namespace
}  // namespace nv12slot

// Make tensors of NV12 pictures: nothing lies in between, and every byte of a tensor is written
// once. Each thread makes four pixels of a row; any block shape, and a grid that covers the tensor.
// Read nothing outside a picture, and rows of UV as pairs: they start at even addresses.
extern "C" __global__ void __launch_bounds__(256)
    nv12slot_nv12_to_tensor(const __grid_constant__ nv12slot::TensorJob job) {
  nv12slot::write_tensor(job);
}

// A grid as deep as there are pictures. One launch takes a third of the time of as many small ones:
// a picture alone leaves most of a large GPU idle, and the next waits until the last pixel is done.
extern "C" __global__ void __launch_bounds__(256)
    nv12slot_nv12_to_tensors(const __grid_constant__ nv12slot::TensorJobs all) {
  nv12slot::write_tensor(all.jobs[blockIdx.z]);
}
