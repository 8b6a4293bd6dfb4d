// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "nv12slot/result.h"

namespace nv12slot {

enum class TensorLayout {
  kNchw,  ///< three planes, one after the other
  kNhwc,  ///< the three channels of a pixel side by side
};
enum class ChannelOrder { kRgb, kBgr };
enum class TensorType { kU8, kF16, kF32 };

/// How a picture that has not the tensor's proportions comes into it. The two letterboxes place
/// pictures to the pixel as the networks' own preprocessing does.
enum class ScaleMode {
  kStretch,           ///< over the whole tensor
  kLetterboxCentred,  ///< sizes rounded, the smaller border above and left (YOLOv5, YOLOv8)
  kLetterboxTopLeft,  ///< sizes truncated, borders below and right (YOLOX)
};

/// Largest side of a tensor, in pixels.
inline constexpr std::uint32_t kMaxTensorSide = 16384;

/// What a network wants of a picture: one frame of its input tensor, packed, without padding.
struct TensorSpec {
  std::uint32_t width = 640;   ///< pixels, 1 to kMaxTensorSide; odd ones too
  std::uint32_t height = 640;  ///< as width
  TensorLayout layout = TensorLayout::kNchw;
  ChannelOrder order = ChannelOrder::kRgb;
  TensorType type = TensorType::kF32;
  ScaleMode scale_mode = ScaleMode::kLetterboxCentred;
  /// What lies around a letterboxed picture: 0 to 255, in every channel, before scale and mean.
  float border = 114;
  /// A channel's value v, 0 to 255 and not rounded, becomes (v * scale - mean) / std; mean and std
  /// are in the order of the tensor's channels. kU8 is then rounded to the nearest and saturated,
  /// so it wants a scale of 1; kF16 is rounded to the nearest, ties to even.
  float scale = 1.0F / 255;
  std::array<float, 3> mean{0, 0, 0};
  std::array<float, 3> std{1, 1, 1};

  /// kInvalidArgument, with the field, its value and what is legal: a side out of range, a border
  /// out of range, anything not finite, a std of 0 or so near to it that values overflow, or a
  /// frame that memory cannot address.
  [[nodiscard]] Status validate() const;
  /// Bytes of a frame. Precondition: validate().
  [[nodiscard]] std::size_t frame_bytes() const;

  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

/// Bytes of one value.
[[nodiscard]] std::size_t bytes_of(TensorType type);

/// Where a picture lies in a tensor, in pixels of the tensor. What a network finds at tensor_x lies
/// at (tensor_x - x) / scale_x in the picture; y likewise.
struct Placement {
  std::uint32_t x = 0, y = 0;
  std::uint32_t width = 0, height = 0;
  /// width and height over the picture's. They differ a little where sizes were rounded.
  double scale_x = 1, scale_y = 1;
};

/// Where a picture of that size, neither side 0, lies; at least one pixel of it. Precondition:
/// spec.validate().
[[nodiscard]] Placement place(const TensorSpec& spec, std::uint32_t picture_width,
                              std::uint32_t picture_height);

}  // namespace nv12slot
