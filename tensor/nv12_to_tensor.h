// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// The arithmetic that makes a tensor of an NV12 picture, the same on a device and on the host:
// nvcc, the host compiler and the stand-in driver compile this file, so it needs nothing else.
//
// Every function is a static one, so that no two objects share a copy that was compiled for
// different processors.
#include <stddef.h>
#include <stdint.h>

#ifdef __CUDACC__
#define NV12SLOT_BOTH static __host__ __device__ __forceinline__
#else
#define NV12SLOT_BOTH static inline __attribute__((always_inline))
#endif

namespace nv12slot {

/// Where the tensor's columns (or rows) lie among the samples of a plane, in 1/2^32 of a sample:
/// exact enough for the largest sides, and the same number everywhere.
struct TensorAxis {
  int64_t start;  ///< of the picture's first column
  int64_t step;   ///< from one to the next
  int64_t last;   ///< the plane's last sample
};

/// Everything about one frame, passed to the kernels by value.
struct TensorJob {
  uintptr_t y, uv;  ///< uv is even on a device, and so is its pitch
  size_t y_pitch, uv_pitch;
  uintptr_t tensor;
  uint32_t width, height;  ///< of the tensor
  uint32_t left, top;      ///< where the picture lies in it
  uint32_t inner_width, inner_height;
  TensorAxis luma_x, luma_y, chroma_x, chroma_y;
  float matrix[3][4];  ///< each channel, 0 to 255, as a sum of Y, U, V and 1
  float gain[3], offset[3];
  float border[3];         ///< finished values
  uint32_t element_bytes;  ///< 1 (rounded), 2 (half) or 4 (float)
  uint32_t channels_last;
  uint32_t is_aligned;  ///< four pixels can be stored at once
};

/// As many as the parameters of a kernel have room for.
constexpr uint32_t kMostTensorJobs = 4096 / sizeof(TensorJob);
struct TensorJobs {
  TensorJob jobs[kMostTensorJobs];
};

/// A place between two samples, `weight` of the way from `index` to the next one. Where that is the
/// last, weight is 0.
struct TensorSample {
  int32_t index;
  float weight;
};

NV12SLOT_BOTH TensorSample sample_at(const TensorAxis& axis, int64_t position) {
  const int64_t most = axis.last << 32;
  const int64_t inside = position < 0 ? 0 : position > most ? most : position;
  // The 24 bits that a float holds exactly.
  const auto fraction = static_cast<int32_t>(static_cast<uint32_t>(inside) >> 8);
  return {static_cast<int32_t>(inside >> 32), static_cast<float>(fraction) * (1.0F / (1 << 24))};
}

NV12SLOT_BOTH int64_t position_of(const TensorAxis& axis, uint32_t i) {
  return axis.start + axis.step * i;
}

NV12SLOT_BOTH float between(float first, float second, float weight) {
  return first + (second - first) * weight;
}

NV12SLOT_BOTH float within_byte(float value) {
  const float positive = value > 0.0F ? value : 0.0F;
  return positive < 255.0F ? positive : 255.0F;
}

/// The finished value of one channel.
NV12SLOT_BOTH float channel_of(const TensorJob& job, int channel, float y, float u, float v) {
  const float* const sum = job.matrix[channel];
  const float value = within_byte(sum[0] * y + sum[1] * u + sum[2] * v + sum[3]);
  return value * job.gain[channel] + job.offset[channel];
}

/// To the nearest, halves upwards.
NV12SLOT_BOTH uint8_t to_byte(float value) {
  return static_cast<uint8_t>(static_cast<int32_t>(within_byte(value) + 0.5F));
}

/// IEEE 754's binary16, to the nearest, ties to even.
NV12SLOT_BOTH uint16_t to_half(float value) {
#ifdef __CUDA_ARCH__
  uint16_t half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
#else
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  const uint32_t sign = bits & 0x80000000U;
  const uint32_t size = bits ^ sign;
  // Adding 0.5 has the processor round to multiples of 2^-24, which subnormal halves are.
  float magnitude;
  __builtin_memcpy(&magnitude, &size, sizeof(magnitude));
  const float shifted = magnitude + 0.5F;
  uint32_t subnormal;
  __builtin_memcpy(&subnormal, &shifted, sizeof(subnormal));
  subnormal -= 0x3f000000U;
  // Another exponent, and half a unit added (a little less where the last bit is even); a carry
  // goes on into the exponent, up to infinity.
  const uint32_t normal = (size - 0x38000000U + 0xfffU + ((size >> 13) & 1U)) >> 13;
  const uint32_t special = size > 0x7f800000U ? 0x7e00U : 0x7c00U;
  const uint32_t half = size >= 0x47800000U ? special : size < 0x38800000U ? subnormal : normal;
  return static_cast<uint16_t>(half | sign >> 16);
#endif
}

NV12SLOT_BOTH float load_byte(uintptr_t address) {
#ifdef __CUDA_ARCH__
  return static_cast<float>(__ldg(reinterpret_cast<const uint8_t*>(address)));
#else
  return static_cast<float>(*reinterpret_cast<const uint8_t*>(address));
#endif
}

struct TensorChroma {
  float u, v;
};

NV12SLOT_BOTH TensorChroma load_chroma(uintptr_t address) {
#ifdef __CUDA_ARCH__
  const uint32_t both = __ldg(reinterpret_cast<const uint16_t*>(address));
  return {static_cast<float>(both & 0xffU), static_cast<float>(both >> 8)};
#else
  return {load_byte(address), load_byte(address + 1)};
#endif
}

/// The two rows of a plane that a row of the tensor lies between; the same one twice on a row.
struct TensorRowPair {
  uintptr_t above, below;
  float weight;
};

NV12SLOT_BOTH TensorRowPair rows_at(const TensorAxis& axis, uintptr_t plane, size_t pitch,
                                    uint32_t row) {
  const TensorSample sample = sample_at(axis, position_of(axis, row));
  const uintptr_t above = plane + static_cast<size_t>(sample.index) * pitch;
  return {above, sample.weight > 0.0F ? above + pitch : above, sample.weight};
}

/// First between the rows, then between the columns, as the host does whole rows at a time. Where
/// the weight is 0 there may be no next column; the same one does as well, and no branch keeps
/// loads apart.
NV12SLOT_BOTH float luma_at(const TensorRowPair& rows, const TensorSample& column) {
  const auto first = static_cast<uintptr_t>(column.index);
  const uintptr_t second = first + (column.weight > 0.0F ? 1 : 0);
  return between(
      between(load_byte(rows.above + first), load_byte(rows.below + first), rows.weight),
      between(load_byte(rows.above + second), load_byte(rows.below + second), rows.weight),
      column.weight);
}

NV12SLOT_BOTH TensorChroma between(TensorChroma first, TensorChroma second, float weight) {
  return {between(first.u, second.u, weight), between(first.v, second.v, weight)};
}

NV12SLOT_BOTH TensorChroma chroma_at(const TensorRowPair& rows, const TensorSample& column) {
  const uintptr_t first = static_cast<uintptr_t>(column.index) * 2;
  const uintptr_t second = first + (column.weight > 0.0F ? 2 : 0);
  return between(
      between(load_chroma(rows.above + first), load_chroma(rows.below + first), rows.weight),
      between(load_chroma(rows.above + second), load_chroma(rows.below + second), rows.weight),
      column.weight);
}

/// The tensor's element of that channel at that pixel.
NV12SLOT_BOTH size_t element_at(const TensorJob& job, uint32_t x, uint32_t y, uint32_t channel) {
  const size_t pixel = static_cast<size_t>(y) * job.width + x;
  return job.channels_last != 0 ? pixel * 3 + channel
                                : static_cast<size_t>(channel) * job.width * job.height + pixel;
}

NV12SLOT_BOTH void store_element(const TensorJob& job, size_t element, float value) {
  if (job.element_bytes == 4) {
    reinterpret_cast<float*>(job.tensor)[element] = value;
  } else if (job.element_bytes == 2) {
    reinterpret_cast<uint16_t*>(job.tensor)[element] = to_half(value);
  } else {
    reinterpret_cast<uint8_t*>(job.tensor)[element] = to_byte(value);
  }
}

/// One pixel, picture or border, from the planes into the tensor.
NV12SLOT_BOTH void write_pixel(const TensorJob& job, uint32_t x, uint32_t y) {
  const uint32_t column = x - job.left;  // wraps left of the picture
  const uint32_t row = y - job.top;
  float values[3] = {job.border[0], job.border[1], job.border[2]};
  if (column < job.inner_width && row < job.inner_height) {
    const float luma = luma_at(rows_at(job.luma_y, job.y, job.y_pitch, row),
                               sample_at(job.luma_x, position_of(job.luma_x, column)));
    const TensorChroma chroma =
        chroma_at(rows_at(job.chroma_y, job.uv, job.uv_pitch, row),
                  sample_at(job.chroma_x, position_of(job.chroma_x, column)));
    for (int i = 0; i < 3; ++i) values[i] = channel_of(job, i, luma, chroma.u, chroma.v);
  }
  for (uint32_t i = 0; i < 3; ++i) store_element(job, element_at(job, x, y, i), values[i]);
}

}  // namespace nv12slot
