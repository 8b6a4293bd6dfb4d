// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_job.h"

#include <cstddef>
#include <utility>

namespace nv12slot {
namespace {

constexpr std::int64_t kOne = std::int64_t{1} << 32;

/// Half-pixel centres: pixel i of `inner` lies at (i + 1/2) * samples / inner - 1/2.
TensorAxis luma_axis(std::uint32_t samples, std::uint32_t inner) {
  const std::int64_t doubled = 2 * std::int64_t{inner};
  // To the nearest; neither overflows: sides have 14 bits.
  const auto rounded = [](std::int64_t value, std::int64_t by) { return (value + by / 2) / by; };
  return {.start = rounded(samples * kOne, doubled) - kOne / 2,
          .step = rounded(samples * kOne, inner),
          .last = std::int64_t{samples} - 1};
}

/// Chroma samples lie `first` luma samples after the first one of those, two apart.
TensorAxis chroma_axis(std::uint32_t luma_samples, std::uint32_t inner, std::int64_t first) {
  const TensorAxis luma = luma_axis(luma_samples, inner);
  return {.start = (luma.start - first) / 2,
          .step = luma_axis(luma_samples / 2, inner).step,
          .last = std::int64_t{luma_samples / 2} - 1};
}

}  // namespace

TensorJob make_tensor_job(const TensorSpec& spec, const TensorPicture& picture) {
  const auto& [planes, width, height, colour, tensor] = picture;
  const Placement placement = place(spec, width, height);
  TensorJob job = {};
  job.y = planes.y;
  job.uv = planes.uv;
  job.y_pitch = planes.y_pitch;
  job.uv_pitch = planes.uv_pitch;
  job.tensor = tensor;
  job.width = spec.width;
  job.height = spec.height;
  job.left = placement.x;
  job.top = placement.y;
  job.inner_width = placement.width;
  job.inner_height = placement.height;

  job.luma_x = luma_axis(width, placement.width);
  job.luma_y = luma_axis(height, placement.height);
  const std::int64_t right = colour.site == ChromaSite::kCentre ? kOne / 2 : 0;
  const std::int64_t down = colour.site == ChromaSite::kTopLeft ? 0 : kOne / 2;
  job.chroma_x = chroma_axis(width, placement.width, right);
  job.chroma_y = chroma_axis(height, placement.height, down);

  RgbFromYuv sums = rgb_from_yuv(colour.matrix, colour.full_range);
  if (spec.order == ChannelOrder::kBgr) std::swap(sums[0], sums[2]);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    for (std::size_t k = 0; k < sums[i].size(); ++k) {
      job.matrix[i][k] = static_cast<float>(sums[i][k]);
    }
    job.gain[i] = spec.scale / spec.std[i];
    job.offset[i] = -spec.mean[i] / spec.std[i];
    job.border[i] = spec.border * job.gain[i] + job.offset[i];
  }

  job.element_bytes = static_cast<std::uint32_t>(bytes_of(spec.type));
  job.channels_last = spec.layout == TensorLayout::kNhwc ? 1 : 0;
  const std::size_t four = 4 * bytes_of(spec.type);
  job.is_aligned = spec.width % 4 == 0 && tensor % four == 0 ? 1 : 0;
  return job;
}

}  // namespace nv12slot
