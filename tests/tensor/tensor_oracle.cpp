// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_oracle.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace nv12slot {
namespace {

struct Weights {
  double red, green, blue;
};

Weights weights_of(ColourMatrix matrix) {
  switch (matrix) {
    case ColourMatrix::kBt601:
      return {0.299, 0.587, 0.114};
    case ColourMatrix::kBt709:
      return {0.2126, 0.7152, 0.0722};
    case ColourMatrix::kBt2020:
      return {0.2627, 0.6780, 0.0593};
    case ColourMatrix::kFcc:
      return {0.30, 0.59, 0.11};
    case ColourMatrix::kSmpte240m:
      return {0.212, 0.701, 0.087};
  }
  return {};
}

/// 0 to 255 each.
std::array<double, 3> rgb_of(const Colour& colour, double y, double u, double v) {
  const Weights weights = weights_of(colour.matrix);
  const double luma = colour.full_range ? y / 255 : (y - 16) / 219;
  const double blue_difference = (u - 128) / (colour.full_range ? 255 : 224);
  const double red_difference = (v - 128) / (colour.full_range ? 255 : 224);
  const double red = luma + 2 * (1 - weights.red) * red_difference;
  const double blue = luma + 2 * (1 - weights.blue) * blue_difference;
  const double green = (luma - weights.red * red - weights.blue * blue) / weights.green;
  std::array<double, 3> rgb{red * 255, green * 255, blue * 255};
  for (double& value : rgb) value = std::clamp(value, 0.0, 255.0);
  return rgb;
}

/// A plane of a picture: each `step`-th byte of rows of `row_bytes`, from `first`.
struct Plane {
  const std::uint8_t* first;
  std::size_t row_bytes, step;
  std::uint32_t width, height;

  [[nodiscard]] double at(double x, double y) const {
    x = std::clamp(x, 0.0, width - 1.0);
    y = std::clamp(y, 0.0, height - 1.0);
    const auto left = static_cast<std::size_t>(x);
    const auto top = static_cast<std::size_t>(y);
    const std::size_t right = std::min<std::size_t>(left + 1, width - 1);
    const std::size_t bottom = std::min<std::size_t>(top + 1, height - 1);
    const double across = x - static_cast<double>(left);
    const double down = y - static_cast<double>(top);
    const auto sample = [this](std::size_t column, std::size_t row) {
      return static_cast<double>(first[row * row_bytes + column * step]);
    };
    return (1 - down) * ((1 - across) * sample(left, top) + across * sample(right, top)) +
           down * ((1 - across) * sample(left, bottom) + across * sample(right, bottom));
  }
};

}  // namespace

std::vector<TensorCase> tensor_cases() {
  std::vector<TensorCase> cases;
  const auto add = [&cases](std::uint32_t width, std::uint32_t height, std::uint32_t tensor_width,
                            std::uint32_t tensor_height) -> TensorCase& {
    TensorCase it{width, height, {.width = tensor_width, .height = tensor_height}, {}};
    return cases.emplace_back(it);
  };
  for (const ColourMatrix matrix :
       {ColourMatrix::kBt601, ColourMatrix::kBt709, ColourMatrix::kBt2020, ColourMatrix::kFcc,
        ColourMatrix::kSmpte240m}) {
    for (const bool full_range : {false, true}) {
      add(96, 54, 64, 64).colour = {matrix, full_range, ChromaSite::kLeft};
    }
  }
  for (const ChromaSite site : {ChromaSite::kLeft, ChromaSite::kCentre, ChromaSite::kTopLeft}) {
    add(64, 48, 100, 80).colour.site = site;  // enlarged
    add(128, 72, 52, 52).colour.site = site;  // made smaller
    add(32, 32, 32, 32).colour.site = site;   // as it is
  }
  for (const TensorType type : {TensorType::kU8, TensorType::kF16, TensorType::kF32}) {
    for (const TensorLayout layout : {TensorLayout::kNchw, TensorLayout::kNhwc}) {
      for (const ScaleMode mode :
           {ScaleMode::kStretch, ScaleMode::kLetterboxCentred, ScaleMode::kLetterboxTopLeft}) {
        for (const ChannelOrder order : {ChannelOrder::kRgb, ChannelOrder::kBgr}) {
          // Sides that four pixels at a time go into, and such that they do not.
          for (const std::uint32_t side : {40u, 37u}) {
            TensorSpec& spec = add(72, 50, side, side + 4).spec;
            spec.type = type;
            spec.layout = layout;
            spec.scale_mode = mode;
            spec.order = order;
            if (type == TensorType::kU8) spec.scale = 1;
          }
        }
      }
    }
  }
  // Channels of their own, and values that a byte cannot have.
  for (const TensorType type : {TensorType::kU8, TensorType::kF32}) {
    TensorSpec& spec = add(48, 80, 33, 28).spec;
    spec.type = type;
    spec.order = ChannelOrder::kBgr;
    spec.scale = type == TensorType::kU8 ? 2.0F : 1.0F / 255;
    spec.mean = {0.485F, 0.456F, 0.406F};
    spec.std = {0.229F, -0.5F, 2.0F};
    spec.border = 7.5F;
  }
  // The least there is, and pictures that are hardly there.
  add(2, 2, 1, 1);
  add(2, 2, 5, 7);
  add(2, 64, 9, 9);
  add(64, 2, 1, 30);
  add(400, 2, 20, 20);
  add(6, 4, 3, 2);
  // Whole multiples, where each weight is 0; and what is usual.
  add(192, 108, 64, 64);
  add(1920, 1080, 640, 640);
  return cases;
}

void PrintTo(const TensorCase& it, std::ostream* out) {
  *out << it.width << 'x' << it.height << " to " << it.spec.width << 'x' << it.spec.height
       << ", layout " << static_cast<int>(it.spec.layout) << ", type "
       << static_cast<int>(it.spec.type) << ", order " << static_cast<int>(it.spec.order)
       << ", mode " << static_cast<int>(it.spec.scale_mode) << ", matrix "
       << static_cast<int>(it.colour.matrix) << (it.colour.full_range ? " full" : " limited")
       << ", site " << static_cast<int>(it.colour.site);
}

std::size_t channel_of_element(const TensorSpec& spec, std::size_t element) {
  return spec.layout == TensorLayout::kNhwc ? element % 3
                                            : element / (std::size_t{spec.width} * spec.height);
}

std::vector<double> expected_tensor(const TensorCase& it, const Picture& picture) {
  const TensorSpec& spec = it.spec;
  const std::vector<std::uint8_t> samples = picture.samples();
  const std::uint8_t* const chroma = samples.data() + std::size_t{it.width} * it.height;
  const Plane y_plane{samples.data(), it.width, 1, it.width, it.height};
  const Plane u_plane{chroma, it.width, 2, it.width / 2, it.height / 2};
  const Plane v_plane{chroma + 1, it.width, 2, it.width / 2, it.height / 2};
  // Where the first chroma sample lies, in pixels.
  const double site_x = it.colour.site == ChromaSite::kCentre ? 0.5 : 0;
  const double site_y = it.colour.site == ChromaSite::kTopLeft ? 0 : 0.5;

  const Placement placement = place(spec, it.width, it.height);
  const std::size_t pixels = std::size_t{spec.width} * spec.height;
  std::vector<double> values(3 * pixels);
  for (std::uint32_t row = 0; row < spec.height; ++row) {
    for (std::uint32_t column = 0; column < spec.width; ++column) {
      std::array<double, 3> rgb{spec.border, spec.border, spec.border};
      if (column >= placement.x && column < placement.x + placement.width && row >= placement.y &&
          row < placement.y + placement.height) {
        const double x = (column - placement.x + 0.5) * it.width / placement.width - 0.5;
        const double y = (row - placement.y + 0.5) * it.height / placement.height - 0.5;
        const double chroma_x = (x - site_x) / 2;
        const double chroma_y = (y - site_y) / 2;
        rgb = rgb_of(it.colour, y_plane.at(x, y), u_plane.at(chroma_x, chroma_y),
                     v_plane.at(chroma_x, chroma_y));
      }
      if (spec.order == ChannelOrder::kBgr) std::swap(rgb[0], rgb[2]);
      const std::size_t pixel = std::size_t{row} * spec.width + column;
      for (std::size_t channel = 0; channel < 3; ++channel) {
        double value = (rgb[channel] * static_cast<double>(spec.scale) -
                        static_cast<double>(spec.mean[channel])) /
                       static_cast<double>(spec.std[channel]);
        if (spec.type == TensorType::kU8) value = std::clamp(value, 0.0, 255.0);
        values[spec.layout == TensorLayout::kNhwc ? 3 * pixel + channel
                                                  : channel * pixels + pixel] = value;
      }
    }
  }
  return values;
}

double tolerance(const TensorCase& it, std::size_t channel, double value) {
  const double of_channel = 0.02 * std::abs(static_cast<double>(it.spec.scale) /
                                            static_cast<double>(it.spec.std[channel]));
  switch (it.spec.type) {
    case TensorType::kU8:
      return of_channel + 0.5;
    case TensorType::kF16:
      return of_channel + std::abs(value) / 2048;
    case TensorType::kF32:
      return of_channel;
  }
  return 0;
}

std::vector<double> values_of(const TensorSpec& spec, const std::vector<std::uint8_t>& tensor) {
  std::vector<double> values(std::size_t{3} * spec.width * spec.height);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (spec.type == TensorType::kU8) {
      values[i] = tensor[i];
    } else if (spec.type == TensorType::kF16) {
      std::uint16_t half = 0;
      std::memcpy(&half, tensor.data() + 2 * i, sizeof(half));
      values[i] = half_value(half);
    } else {
      float value = 0;
      std::memcpy(&value, tensor.data() + 4 * i, sizeof(value));
      values[i] = static_cast<double>(value);
    }
  }
  return values;
}

double half_value(std::uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  const double sign = (half & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  return exponent == 0 ? sign * std::ldexp(fraction, -24)
                       : sign * std::ldexp(1024 + fraction, exponent - 25);
}

}  // namespace nv12slot
