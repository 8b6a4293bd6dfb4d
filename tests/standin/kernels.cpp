// SPDX-License-Identifier: LGPL-2.1-or-later

#include "kernels.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>

#include "../../tensor/nv12_to_tensor.h"

namespace nv12slot::standin {
namespace {

// nv12slot_copy_nv12 and nv12slot_convert_p010: both planes of a picture, each with pitches of its
// own; a sample of the source has one byte or two.
struct CopyNv12 {
  CopyNv12(const standin_launch* launch, size_t source_sample_bytes) {
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
      source[plane].row_bytes = width * source_sample_bytes;
      target[plane].row_bytes = width;
      source[plane].rows = target[plane].rows = plane == 0 ? height : height / 2;
      source[plane].write = 0;
      target[plane].write = 1;
    }
  }

  standin_range source[2];
  standin_range target[2];
};

void run_copy_nv12(const standin_launch* launch) {
  const CopyNv12 copy(launch, 1);
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

void run_convert_p010(const standin_launch* launch) {
  const CopyNv12 copy(launch, 2);
  for (size_t plane = 0; plane < 2; plane++) {
    const standin_range& source = copy.source[plane];
    const standin_range& target = copy.target[plane];
    for (size_t row = 0; row < source.rows; row++) {
      const auto* from = reinterpret_cast<const uint16_t*>(source.address + row * source.pitch);
      auto* to = reinterpret_cast<uint8_t*>(target.address + row * target.pitch);
      for (size_t i = 0; i < target.row_bytes; i++) {
        to[i] = static_cast<uint8_t>(std::min((from[i] + 128) >> 8, 255));
      }
    }
  }
}

size_t ranges_of(const CopyNv12& copy, standin_range* ranges) {
  for (size_t plane = 0; plane < 2; plane++) {
    ranges[2 * plane] = copy.source[plane];
    ranges[2 * plane + 1] = copy.target[plane];
  }
  return 4;
}

size_t ranges_of_copy_nv12(const standin_launch* launch, standin_range* ranges) {
  return ranges_of(CopyNv12(launch, 1), ranges);
}

size_t ranges_of_convert_p010(const standin_launch* launch, standin_range* ranges) {
  return ranges_of(CopyNv12(launch, 2), ranges);
}

// nv12slot_soak_read (pipelines/soak/read_kernel.cu): sums a picture up again and again for some
// nanoseconds. The sum is another one than on a GPU; who compares sums compares those of one
// device.
struct SoakRead {
  explicit SoakRead(const standin_launch* launch) {
    const auto read = [&](size_t index, auto* value) {
      std::memcpy(value, launch->parameters[index], sizeof(*value));
    };
    uint32_t width = 0;
    uint32_t height = 0;
    read(4, &width);
    read(5, &height);
    read(6, &nanoseconds);
    read(7, &result);
    for (size_t plane = 0; plane < 2; plane++) {
      read(2 * plane, &planes[plane].address);
      read(2 * plane + 1, &planes[plane].pitch);
      planes[plane].row_bytes = width;
      planes[plane].rows = plane == 0 ? height : height / 2;
      planes[plane].write = 0;
    }
  }

  uint64_t sum() const {
    uint64_t sum = 0;
    for (const standin_range& plane : planes) {
      for (size_t row = 0; row < plane.rows; row++) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(plane.address + row * plane.pitch);
        for (size_t i = 0; i < plane.row_bytes; i++) sum = (sum ^ bytes[i]) * 0x100000001B3u;
      }
    }
    return sum;
  }

  standin_range planes[2];
  uint64_t nanoseconds = 0;
  struct Result {
    uint64_t sum;
    uint32_t changed;
  }* result = nullptr;
};

void run_soak_read(const standin_launch* launch) {
  const SoakRead read(launch);
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(read.nanoseconds);
  const uint64_t first = read.sum();
  uint32_t changed = 0;
  while (std::chrono::steady_clock::now() < end) {
    if (read.sum() != first) changed++;
  }
  *read.result = {first, changed};
}

size_t ranges_of_soak_read(const standin_launch* launch, standin_range* ranges) {
  const SoakRead read(launch);
  ranges[0] = read.planes[0];
  ranges[1] = read.planes[1];
  return 2;
}

// nv12slot_nv12_to_tensor and nv12slot_nv12_to_tensors, of one job and of several: the pixels that
// the launch's threads stand for, four each, by the kernels' own arithmetic.
template <typename Jobs>
std::vector<TensorJob> jobs_of(const standin_launch* launch) {
  std::vector<TensorJob> jobs(launch->grid[2]);
  std::memcpy(jobs.data(), launch->parameters[0],
              std::min(sizeof(Jobs), jobs.size() * sizeof(TensorJob)));
  return jobs;
}

template <typename Jobs>
void run_nv12_to_tensor(const standin_launch* launch) {
  for (const TensorJob& job : jobs_of<Jobs>(launch)) {
    const uint32_t columns = std::min(job.width, launch->grid[0] * launch->block[0] * 4);
    const uint32_t rows = std::min(job.height, launch->grid[1] * launch->block[1]);
    for (uint32_t y = 0; y < rows; y++) {
      for (uint32_t x = 0; x < columns; x++) write_pixel(job, x, y);
    }
  }
}

template <typename Jobs>
size_t ranges_of_nv12_to_tensor(const standin_launch* launch, standin_range* ranges) {
  size_t count = 0;
  for (const TensorJob& job : jobs_of<Jobs>(launch)) {
    const auto width = static_cast<size_t>(job.luma_x.last) + 1;
    const auto height = static_cast<size_t>(job.luma_y.last) + 1;
    const size_t bytes = size_t{3} * job.width * job.height * job.element_bytes;
    ranges[count++] = {job.y, width, height, job.y_pitch, 0};
    ranges[count++] = {job.uv, width, height / 2, job.uv_pitch, 0};
    ranges[count++] = {job.tensor, bytes, 1, bytes, 1};
  }
  return count;
}
static_assert(3 * kMostTensorJobs <= kMaxKernelRanges);

}  // namespace

std::map<std::string, Kernel>& kernels() {
  static auto* const table = new std::map<std::string, Kernel>{
      {"nv12slot_copy_nv12", {{8, 8, 8, 8, 8, 8, 8, 8, 4, 4}, run_copy_nv12, ranges_of_copy_nv12}},
      {"nv12slot_convert_p010",
       {{8, 8, 8, 8, 8, 8, 8, 8, 4, 4, 4}, run_convert_p010, ranges_of_convert_p010}},
      {"nv12slot_soak_read", {{8, 8, 8, 8, 4, 4, 8, 8}, run_soak_read, ranges_of_soak_read}},
      {"nv12slot_nv12_to_tensor",
       {{sizeof(TensorJob)}, run_nv12_to_tensor<TensorJob>, ranges_of_nv12_to_tensor<TensorJob>}},
      {"nv12slot_nv12_to_tensors",
       {{sizeof(TensorJobs)},
        run_nv12_to_tensor<TensorJobs>,
        ranges_of_nv12_to_tensor<TensorJobs>}}};
  return *table;
}

}  // namespace nv12slot::standin
