// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Compiled for each kind of processor, with NV12SLOT_TENSOR_ROWS as the name of its table. Nothing
// here may be shared with other files: no templates or inline functions of the library.
#include "tensor_rows.h"

namespace nv12slot {

extern const TensorRows NV12SLOT_TENSOR_ROWS;

namespace {

void between_rows(const std::uint8_t* above, const std::uint8_t* below, float weight,
                  std::size_t samples, float* __restrict row) {
  for (std::size_t i = 0; i < samples; ++i) {
    row[i] = between(static_cast<float>(above[i]), static_cast<float>(below[i]), weight);
  }
}

void channels_of_columns(const TensorJob& job, const TensorColumns& columns,
                         const float* __restrict y, const float* __restrict uv,
                         float* __restrict first, float* __restrict second,
                         float* __restrict third) {
  const std::int32_t* const __restrict luma = columns.luma;
  const float* const __restrict luma_weight = columns.luma_weight;
  const std::int32_t* const __restrict chroma = columns.chroma;
  const float* const __restrict chroma_weight = columns.chroma_weight;
  const std::size_t count = job.inner_width;
  for (std::size_t i = 0; i < count; ++i) {
    const float luma_here = between(y[luma[i]], y[luma[i] + 1], luma_weight[i]);
    const float u = between(uv[chroma[i]], uv[chroma[i] + 2], chroma_weight[i]);
    const float v = between(uv[chroma[i] + 1], uv[chroma[i] + 3], chroma_weight[i]);
    first[i] = channel_of(job, 0, luma_here, u, v);
    second[i] = channel_of(job, 1, luma_here, u, v);
    third[i] = channel_of(job, 2, luma_here, u, v);
  }
}

void channels_of_row(const TensorJob& job, const TensorColumns& columns, const float* y,
                     const float* uv, float* const* channels) {
  channels_of_columns(job, columns, y, uv, channels[0], channels[1], channels[2]);
}

void to_halves(const float* values, std::size_t count, std::size_t stride,
               std::uint16_t* __restrict to) {
  if (stride == 1) {
    for (std::size_t i = 0; i < count; ++i) to[i] = to_half(values[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) to[i * stride] = to_half(values[i]);
  }
}

void to_bytes(const float* values, std::size_t count, std::size_t stride,
              std::uint8_t* __restrict to) {
  if (stride == 1) {
    for (std::size_t i = 0; i < count; ++i) to[i] = to_byte(values[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) to[i * stride] = to_byte(values[i]);
  }
}

void interleave_floats(const float* const* channels, std::size_t count, float* __restrict to) {
  const float* const first = channels[0];
  const float* const second = channels[1];
  const float* const third = channels[2];
  for (std::size_t i = 0; i < count; ++i) {
    to[3 * i] = first[i];
    to[3 * i + 1] = second[i];
    to[3 * i + 2] = third[i];
  }
}

}  // namespace

const TensorRows NV12SLOT_TENSOR_ROWS = {between_rows, channels_of_row, to_halves, to_bytes,
                                         interleave_floats};

}  // namespace nv12slot
