// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstring>

#include "reader.h"

namespace soak {
namespace {

/// Eight bytes at a time, so that it keeps up with many cameras; any changed bit changes the sum.
std::uint64_t add_rows(std::uint64_t sum, guint64 plane, gsize stride, guint bytes, guint rows) {
  for (guint row = 0; row < rows; ++row) {
    const auto* at = reinterpret_cast<const unsigned char*>(plane + row * stride);
    guint column = 0;
    for (; column + 8 <= bytes; column += 8) {
      std::uint64_t word;
      std::memcpy(&word, at + column, 8);
      sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
      sum ^= sum >> 29;
    }
    for (; column < bytes; ++column) sum = (sum ^ at[column]) * 0x100000001B3u;
  }
  return sum;
}

}  // namespace

std::uint64_t host_sum(const GstNv12SlotPlanes& planes) {
  const std::uint64_t luma =
      add_rows(0, planes.data[0], planes.stride[0], planes.width, planes.height);
  return add_rows(luma, planes.data[1], planes.stride[1], planes.width, planes.height / 2);
}

}  // namespace soak
