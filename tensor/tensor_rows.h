// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "nv12_to_tensor.h"

namespace nv12slot {

/// Where the tensor's columns lie in rows of Y and of UV: arrays of the picture's width in the
/// tensor.
struct TensorColumns {
  std::int32_t* luma;  ///< the first of two neighbours
  float* luma_weight;
  std::int32_t* chroma;  ///< the U of the first of two neighbouring pairs
  float* chroma_weight;
};

/// The loops over a row of a tensor, compiled for one kind of processor. All kinds give the same
/// values to the last bit. Any thread.
struct TensorRows {
  /// `samples` values between those of two rows.
  void (*between)(const std::uint8_t* above, const std::uint8_t* below, float weight,
                  std::size_t samples, float* row);
  /// The finished values of job.inner_width pixels, by channel. Behind `y` lies one more value, and
  /// behind `uv` two, the last ones again.
  void (*channels)(const TensorJob& job, const TensorColumns& columns, const float* y,
                   const float* uv, float* const* channels);
  /// `count` values as halves and as bytes, `stride` elements apart.
  void (*to_halves)(const float* values, std::size_t count, std::size_t stride, std::uint16_t* to);
  void (*to_bytes)(const float* values, std::size_t count, std::size_t stride, std::uint8_t* to);
  /// Three channels side by side.
  void (*interleave_floats)(const float* const* channels, std::size_t count, float* to);
};

/// Those for the processor this runs on.
[[nodiscard]] const TensorRows& tensor_rows();

}  // namespace nv12slot
