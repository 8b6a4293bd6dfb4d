// SPDX-License-Identifier: LGPL-2.1-or-later
#include "colour.h"

namespace nv12slot {
namespace {

struct LumaWeights {
  double red, blue;
};

// H.273, table 4.
LumaWeights weights_of(ColourMatrix matrix) {
  switch (matrix) {
    case ColourMatrix::kBt601:
      return {0.299, 0.114};
    case ColourMatrix::kBt709:
      return {0.2126, 0.0722};
    case ColourMatrix::kBt2020:
      return {0.2627, 0.0593};
    case ColourMatrix::kFcc:
      return {0.30, 0.11};
    case ColourMatrix::kSmpte240m:
      return {0.212, 0.087};
  }
  return {0.299, 0.114};
}

}  // namespace

RgbFromYuv rgb_from_yuv(ColourMatrix matrix, bool full_range) {
  const auto [red, blue] = weights_of(matrix);
  const double green = 1 - red - blue;
  const double luma = full_range ? 1.0 : 255.0 / 219;
  const double chroma = full_range ? 1.0 : 255.0 / 224;
  const double black = full_range ? 0 : 16;
  const double v_in_red = 2 * (1 - red) * chroma;
  const double u_in_blue = 2 * (1 - blue) * chroma;
  const auto sum = [&](double u, double v) {
    return std::array<double, 4>{luma, u, v, -luma * black - 128 * (u + v)};
  };
  return {sum(0, v_in_red), sum(-u_in_blue * blue / green, -v_in_red * red / green),
          sum(u_in_blue, 0)};
}

}  // namespace nv12slot
