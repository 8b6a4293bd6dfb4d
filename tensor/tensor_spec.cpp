// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nv12slot {
namespace {

constexpr std::uint64_t kChannels = 3;

bool is_valid_side(std::uint32_t side) {
  return side > 0 && side <= kMaxTensorSide;
}

Error invalid(std::string message) {
  return Error{Errc::kInvalidArgument, std::move(message)};
}

/// The part of a tensor's side that a picture's side takes up.
std::uint32_t fitted(double side, std::uint32_t tensor_side, ScaleMode mode) {
  // Python's round(), which YOLOv5 uses, takes ties to the even number; so does nearbyint().
  const double whole =
      mode == ScaleMode::kLetterboxCentred ? std::nearbyint(side) : std::trunc(side);
  return std::clamp(static_cast<std::uint32_t>(whole), 1U, tensor_side);
}

}  // namespace

std::size_t bytes_of(TensorType type) {
  switch (type) {
    case TensorType::kU8:
      return 1;
    case TensorType::kF16:
      return 2;
    case TensorType::kF32:
      return 4;
  }
  return 0;
}

std::size_t TensorSpec::frame_bytes() const {
  return bytes_of(type) * kChannels * width * height;
}

Status TensorSpec::validate() const {
  if (!is_valid_side(width) || !is_valid_side(height)) {
    return invalid(fmt::format("no tensor is {} x {}: both sides must be from 1 to {}", width,
                               height, kMaxTensorSide));
  }
  if (std::uint64_t{bytes_of(type)} * kChannels * width * height >
      std::numeric_limits<std::size_t>::max()) {
    return invalid(fmt::format("a tensor of {} x {} is more than memory can hold", width, height));
  }
  // Written so that not-a-number fails.
  if (!(border >= 0 && border <= 255)) {
    return invalid(fmt::format("the border is {}: it must be from 0 to 255", border));
  }
  if (!std::isfinite(scale)) {
    return invalid(fmt::format("the scale is {}: it must be finite", scale));
  }
  for (std::size_t i = 0; i < mean.size(); ++i) {
    if (!std::isfinite(mean[i])) {
      return invalid(fmt::format("mean {} is {}: it must be finite", i, mean[i]));
    }
    if (!std::isfinite(std[i]) || std[i] == 0) {
      return invalid(fmt::format("std {} is {}: it must be finite and not 0", i, std[i]));
    }
    if (!std::isfinite(scale * 255 / std[i]) || !std::isfinite(mean[i] / std[i])) {
      return invalid(
          fmt::format("std {} is {}: with a scale of {} and a mean of {} values overflow", i,
                      std[i], scale, mean[i]));
    }
  }
  return {};
}

Placement place(const TensorSpec& spec, std::uint32_t picture_width, std::uint32_t picture_height) {
  Placement placement{.width = spec.width, .height = spec.height};
  if (spec.scale_mode != ScaleMode::kStretch) {
    // In this order, and in doubles, as in Python: where it truncates to one pixel less, so do we.
    const double ratio = std::min(static_cast<double>(spec.height) / picture_height,
                                  static_cast<double>(spec.width) / picture_width);
    placement.width = fitted(picture_width * ratio, spec.width, spec.scale_mode);
    placement.height = fitted(picture_height * ratio, spec.height, spec.scale_mode);
  }
  if (spec.scale_mode == ScaleMode::kLetterboxCentred) {
    // YOLOv5's round(half - 0.1): an odd border is larger below and right.
    placement.x = (spec.width - placement.width) / 2;
    placement.y = (spec.height - placement.height) / 2;
  }
  placement.scale_x = static_cast<double>(placement.width) / picture_width;
  placement.scale_y = static_cast<double>(placement.height) / picture_height;
  return placement;
}

}  // namespace nv12slot
