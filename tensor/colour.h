// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>

namespace nv12slot {

/// Which parts of red and blue make luma (ITU-T H.273, MatrixCoefficients).
enum class ColourMatrix { kBt601, kBt709, kBt2020, kFcc, kSmpte240m };

/// Where a chroma sample lies among the four pixels that share it (H.273,
/// Chroma420SampleLocType 0 to 2).
enum class ChromaSite {
  kLeft,     ///< between the two left ones (MPEG-2, H.264's and H.265's default)
  kCentre,   ///< amid the four (JPEG, MPEG-1)
  kTopLeft,  ///< on the upper left one (BT.2020)
};

/// What the samples of an NV12 picture mean. Nothing of it can be seen in the picture.
struct Colour {
  ColourMatrix matrix = ColourMatrix::kBt601;
  bool full_range = false;  ///< else Y is 16 to 235, and U and V are 16 to 240
  ChromaSite site = ChromaSite::kLeft;

  friend bool operator==(const Colour&, const Colour&) = default;
};

/// Red, green and blue as sums of Y, U, V and 1, each 0 to 255.
using RgbFromYuv = std::array<std::array<double, 4>, 3>;

/// The sums that undo H.273's equations 38 to 40 and those of its ranges; 8 bits.
[[nodiscard]] RgbFromYuv rgb_from_yuv(ColourMatrix matrix, bool full_range);

}  // namespace nv12slot
