// SPDX-License-Identifier: LGPL-2.1-or-later
#include "host_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

#include "tensor_rows.h"

namespace nv12slot {
namespace {

constexpr std::size_t kChannels = 3;
// All elements of the rows have four bytes; rows are some lines of the cache long.
constexpr std::size_t kElement = 4;
constexpr std::size_t kElementsInLine = 64 / kElement;

std::size_t whole_lines(std::size_t elements) {
  return (elements + kElementsInLine - 1) / kElementsInLine * kElementsInLine;
}

const std::uint8_t* bytes_at(std::uintptr_t address) {
  return reinterpret_cast<const std::uint8_t*>(address);
}

/// One frame being written: its tables, the rows that are under way, and how a row goes into the
/// tensor.
class HostTensor {
 public:
  HostTensor(const TensorJob& job, const TensorRows& rows) : job_(job), rows_(rows) {}

  Status prepare();
  void write();

 private:
  [[nodiscard]] bool is_plain() const { return job_.element_bytes == 4 && job_.channels_last == 0; }
  /// Elements from a pixel to the next, and from a channel to the next.
  [[nodiscard]] std::size_t stride() const { return job_.channels_last != 0 ? kChannels : 1; }
  [[nodiscard]] std::size_t channel_stride() const {
    return job_.channels_last != 0 ? 1 : std::size_t{job_.width} * job_.height;
  }
  [[nodiscard]] std::uint8_t* element(std::uint32_t x, std::uint32_t y, std::size_t channel) const {
    const std::size_t pixel = std::size_t{y} * job_.width + x;
    const std::size_t index = pixel * stride() + channel * channel_stride();
    return reinterpret_cast<std::uint8_t*>(job_.tensor) + index * job_.element_bytes;
  }

  void fill_columns();
  void store(std::uint32_t x, std::uint32_t y, const std::array<float*, kChannels>& channels,
             std::size_t count) const;
  void write_border(std::uint32_t first, std::uint32_t end, std::uint32_t row) const;
  void write_picture_row(std::uint32_t row);

  const TensorJob& job_;
  const TensorRows& rows_;
  std::unique_ptr<std::byte[]> memory_;
  TensorColumns columns_ = {};
  float* y_ = nullptr;
  float* uv_ = nullptr;
  std::array<float*, kChannels> channels_ = {};  // a row of the picture, by channel
  std::array<float*, kChannels> border_ = {};    // a row of nothing else
};

Status HostTensor::prepare() {
  const std::size_t inner = whole_lines(job_.inner_width);
  const std::size_t outer = whole_lines(job_.width);
  const std::size_t samples = static_cast<std::size_t>(job_.luma_x.last) + 1;
  const std::size_t y_row = whole_lines(samples + 1);
  const std::size_t uv_row = whole_lines(samples + 2);
  const std::size_t bytes = kElement * (4 * inner + y_row + uv_row + kChannels * (inner + outer));
  memory_.reset(new (std::nothrow) std::byte[bytes]);
  if (memory_ == nullptr) {
    return Error{Errc::kOutOfMemory, fmt::format("no host memory of {} bytes", bytes)};
  }
  std::byte* next = memory_.get();
  const auto take = [&next](auto*& row, std::size_t count) {
    static_assert(sizeof(*row) == kElement);
    row = reinterpret_cast<std::remove_reference_t<decltype(row)>>(next);
    next += count * kElement;
  };
  take(columns_.luma, inner);
  take(columns_.luma_weight, inner);
  take(columns_.chroma, inner);
  take(columns_.chroma_weight, inner);
  take(y_, y_row);
  take(uv_, uv_row);
  for (float*& channel : channels_) take(channel, inner);
  for (std::size_t i = 0; i < kChannels; ++i) {
    take(border_[i], outer);
    std::fill_n(border_[i], job_.width, job_.border[i]);
  }
  fill_columns();
  return {};
}

void HostTensor::fill_columns() {
  for (std::uint32_t i = 0; i < job_.inner_width; ++i) {
    const TensorSample luma = sample_at(job_.luma_x, position_of(job_.luma_x, i));
    const TensorSample chroma = sample_at(job_.chroma_x, position_of(job_.chroma_x, i));
    columns_.luma[i] = luma.index;
    columns_.luma_weight[i] = luma.weight;
    columns_.chroma[i] = 2 * chroma.index;
    columns_.chroma_weight[i] = chroma.weight;
  }
}

void HostTensor::store(std::uint32_t x, std::uint32_t y,
                       const std::array<float*, kChannels>& channels, std::size_t count) const {
  if (job_.element_bytes == 4 && job_.channels_last != 0) {
    rows_.interleave_floats(channels.data(), count, reinterpret_cast<float*>(element(x, y, 0)));
    return;
  }
  for (std::size_t i = 0; i < kChannels; ++i) {
    std::uint8_t* const to = element(x, y, i);
    if (job_.element_bytes == 4) {
      std::memcpy(to, channels[i], count * sizeof(float));
    } else if (job_.element_bytes == 2) {
      rows_.to_halves(channels[i], count, stride(), reinterpret_cast<std::uint16_t*>(to));
    } else {
      rows_.to_bytes(channels[i], count, stride(), to);
    }
  }
}

/// Columns [first, end) of a row.
void HostTensor::write_border(std::uint32_t first, std::uint32_t end, std::uint32_t row) const {
  if (first < end) store(first, row, border_, end - first);
}

void HostTensor::write_picture_row(std::uint32_t row) {
  const auto samples = static_cast<std::size_t>(job_.luma_x.last) + 1;
  const TensorRowPair luma = rows_at(job_.luma_y, job_.y, job_.y_pitch, row);
  rows_.between(bytes_at(luma.above), bytes_at(luma.below), luma.weight, samples, y_);
  y_[samples] = y_[samples - 1];
  const TensorRowPair chroma = rows_at(job_.chroma_y, job_.uv, job_.uv_pitch, row);
  rows_.between(bytes_at(chroma.above), bytes_at(chroma.below), chroma.weight, samples, uv_);
  uv_[samples] = uv_[samples - 2];
  uv_[samples + 1] = uv_[samples - 1];

  const std::uint32_t y = job_.top + row;
  if (is_plain()) {
    std::array<float*, kChannels> channels = {};
    for (std::size_t i = 0; i < kChannels; ++i) {
      channels[i] = reinterpret_cast<float*>(element(job_.left, y, i));
    }
    rows_.channels(job_, columns_, y_, uv_, channels.data());
  } else {
    rows_.channels(job_, columns_, y_, uv_, channels_.data());
    store(job_.left, y, channels_, job_.inner_width);
  }
}

void HostTensor::write() {
  for (std::uint32_t y = 0; y < job_.height; ++y) {
    const std::uint32_t row = y - job_.top;  // wraps above the picture
    if (row >= job_.inner_height) {
      write_border(0, job_.width, y);
      continue;
    }
    write_border(0, job_.left, y);
    write_picture_row(row);
    write_border(job_.left + job_.inner_width, job_.width, y);
  }
}

}  // namespace

Status write_host_tensor(const TensorJob& job, const TensorRows& rows) {
  HostTensor tensor(job, rows);
  if (Status status = tensor.prepare(); !status) return status;
  tensor.write();
  return {};
}

}  // namespace nv12slot
