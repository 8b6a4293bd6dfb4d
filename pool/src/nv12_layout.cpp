// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/nv12_layout.h"

#include <fmt/format.h>

namespace nv12slot {
namespace {

bool is_valid_side(std::uint32_t side) {
  return side > 0 && side % 2 == 0 && side <= kMaxSide;
}

}  // namespace

Result<Nv12Layout> nv12_layout(std::uint32_t width, std::uint32_t height, std::size_t alignment) {
  if (!is_valid_side(width) || !is_valid_side(height)) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("no NV12 picture is {} x {}: both sides must be even, from 2 to {}",
                             width, height, kMaxSide)};
  }
  // cuMemAllocPitch's own rule: NV12 has a byte a pixel in Y and two for two pixels in UV.
  const std::size_t pitch = (width + alignment - 1) / alignment * alignment;
  return Nv12Layout{width, height, pitch};
}

}  // namespace nv12slot
