// SPDX-License-Identifier: LGPL-2.1-or-later

#include "kernels.h"

#include <cstdint>
#include <cstring>

namespace nv12slot::standin {
namespace {

// nv12slot_copy_nv12: both planes of a picture, each with pitches of its own.
struct CopyNv12 {
  explicit CopyNv12(const standin_launch* launch) {
    const auto read = [&](size_t index, auto* value) {
      std::memcpy(value, launch->parameters[index], sizeof(*value));
    };
    for (size_t plane = 0; plane < 2; plane++) {
      read(2 * plane, &source[plane].address);
      read(2 * plane + 1, &source[plane].pitch);
      read(2 * plane + 4, &target[plane].address);
      read(2 * plane + 5, &target[plane].pitch);
    }
    uint32_t width = 0;
    uint32_t height = 0;
    read(8, &width);
    read(9, &height);
    for (size_t plane = 0; plane < 2; plane++) {
      source[plane].row_bytes = target[plane].row_bytes = width;
      source[plane].rows = target[plane].rows = plane == 0 ? height : height / 2;
      source[plane].write = 0;
      target[plane].write = 1;
    }
  }

  standin_range source[2];
  standin_range target[2];
};

void run_copy_nv12(const standin_launch* launch) {
  const CopyNv12 copy(launch);
  for (size_t plane = 0; plane < 2; plane++) {
    for (size_t row = 0; row < copy.source[plane].rows; row++) {
      std::memcpy(
          reinterpret_cast<void*>(copy.target[plane].address + row * copy.target[plane].pitch),
          reinterpret_cast<const void*>(copy.source[plane].address +
                                        row * copy.source[plane].pitch),
          copy.source[plane].row_bytes);
    }
  }
}

size_t ranges_of_copy_nv12(const standin_launch* launch, standin_range* ranges) {
  const CopyNv12 copy(launch);
  for (size_t plane = 0; plane < 2; plane++) {
    ranges[2 * plane] = copy.source[plane];
    ranges[2 * plane + 1] = copy.target[plane];
  }
  return 4;
}

}  // namespace

std::map<std::string, Kernel>& kernels() {
  static auto* const table = new std::map<std::string, Kernel>{
      {"nv12slot_copy_nv12", {{8, 8, 8, 8, 8, 8, 8, 8, 4, 4}, run_copy_nv12, ranges_of_copy_nv12}}};
  return *table;
}

}  // namespace nv12slot::standin
