// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "nv12slot/nv12_layout.h"

namespace nv12slot {

/// An NV12 picture in host memory whose planes end with the last byte of the last row, so that a
/// sanitizer sees a copy that touches the padding behind it.
class Picture {
 public:
  /// Filled with one value everywhere.
  Picture(std::uint32_t width, std::uint32_t height, std::size_t y_pitch, std::size_t uv_pitch,
          std::uint8_t value = 0)
      : width_(width),
        height_(height),
        y_pitch_(y_pitch),
        uv_pitch_(uv_pitch),
        y_(y_pitch * (height - 1) + width, value),
        uv_(uv_pitch * (height / 2 - 1) + width, value) {}

  /// A pattern that differs from row to row, plane to plane and seed to seed; padding included.
  void draw(unsigned seed) {
    for (std::size_t i = 0; i < y_.size(); ++i) {
      y_[i] = static_cast<std::uint8_t>(i % 251 + 3 * (i / y_pitch_) + seed);
    }
    for (std::size_t i = 0; i < uv_.size(); ++i) {
      uv_[i] = static_cast<std::uint8_t>(i % 241 + 7 * (i / uv_pitch_) + 100 + seed);
    }
  }

  [[nodiscard]] Nv12Planes planes() {
    return {reinterpret_cast<std::uintptr_t>(y_.data()),
            reinterpret_cast<std::uintptr_t>(uv_.data()), y_pitch_, uv_pitch_};
  }

  /// The samples without padding, Y then UV: what two pictures are compared by.
  [[nodiscard]] std::vector<std::uint8_t> samples() const {
    std::vector<std::uint8_t> all;
    const auto add = [&](const std::vector<std::uint8_t>& plane, std::size_t pitch, unsigned rows) {
      for (unsigned row = 0; row < rows; ++row) {
        const auto start = plane.begin() + static_cast<std::ptrdiff_t>(row * pitch);
        all.insert(all.end(), start, start + width_);
      }
    };
    add(y_, y_pitch_, height_);
    add(uv_, uv_pitch_, height_ / 2);
    return all;
  }

  /// Whether every byte between the rows still has `value`.
  [[nodiscard]] bool padding_is(std::uint8_t value) const {
    const auto is_clean = [&](const std::vector<std::uint8_t>& plane, std::size_t pitch) {
      for (std::size_t i = 0; i < plane.size(); ++i) {
        if (i % pitch >= width_ && plane[i] != value) return false;
      }
      return true;
    };
    return is_clean(y_, y_pitch_) && is_clean(uv_, uv_pitch_);
  }

 private:
  std::uint32_t width_, height_;
  std::size_t y_pitch_, uv_pitch_;
  std::vector<std::uint8_t> y_, uv_;
};

/// A picture of 16-bit samples with each value that rounds in a way of its own, and what it is as
/// NV12: min(255, (v + 128) / 256).
struct P010Picture {
  P010Picture(std::uint32_t width, std::uint32_t height, std::size_t padding = 0)
      : bytes(2 * width, height, 2 * width + padding, 2 * width + padding, 0xaa) {
    const Nv12Planes planes = bytes.planes();
    const auto fill = [&](std::uintptr_t plane, std::size_t pitch, std::uint32_t rows) {
      for (std::uint32_t y = 0; y < rows; ++y) {
        for (std::uint32_t x = 0; x < width; ++x) {
          const std::uint16_t value = next();
          std::memcpy(reinterpret_cast<void*>(plane + y * pitch + 2 * x), &value, 2);
          expected.push_back(static_cast<std::uint8_t>(std::min(255, (value + 128) / 256)));
        }
      }
    };
    fill(planes.y, planes.y_pitch, height);
    fill(planes.uv, planes.uv_pitch, height / 2);
  }

  Picture bytes;  // twice as wide
  std::vector<std::uint8_t> expected;

 private:
  std::uint16_t next() {
    static constexpr std::uint16_t kEdges[] = {0xffff, 0x0080, 0xff80, 0x007f, 0xff7f, 0x0000,
                                               0xffc0, 0x7f80, 0x8000, 0x80c0, 0x7f7f, 0x0040};
    const unsigned n = count_++;
    return n % 2 == 0 ? kEdges[n / 2 % 12] : static_cast<std::uint16_t>(n * 641);
  }
  unsigned count_ = 0;
};

}  // namespace nv12slot
