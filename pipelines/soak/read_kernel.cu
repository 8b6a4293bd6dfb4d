// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What stands for inference in nv12slot-soak: a kernel of a settable length that reads a picture
// all the while.
#include <cstddef>
#include <cstdint>

namespace {

__device__ uint64_t now_ns() {
  uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

/// Sums of these over all places do not depend on the order, and any changed byte changes them.
__device__ uint64_t mix(uint64_t value, uint64_t place) {
  uint64_t hash = (value + 1) * 0x9E3779B97F4A7C15u + place * 0xC2B2AE3D27D4EB4Fu;
  hash ^= hash >> 32;
  hash *= 0xD6E8FEB86659FD93u;
  return hash ^ hash >> 32;
}

/// This thread's part of a plane. Volatile: what another kernel writes meanwhile must be seen.
__device__ uint64_t sum_of(const uint8_t* plane, size_t pitch, uint32_t width, uint32_t rows,
                           uint64_t first_row) {
  uint64_t sum = 0;
  for (uint32_t row = threadIdx.y; row < rows; row += blockDim.y) {
    const uint8_t* bytes = plane + row * pitch;
    const volatile uint32_t* words = reinterpret_cast<const volatile uint32_t*>(bytes);
    const uint64_t place = (first_row + row) << 32;
    for (uint32_t i = threadIdx.x; i < width / 4; i += blockDim.x) sum += mix(words[i], place + i);
    if (threadIdx.x == 0 && width % 4 != 0) {  // widths are even
      sum += mix(*reinterpret_cast<const volatile uint16_t*>(bytes + width / 4 * 4),
                 place + width / 4);
    }
  }
  return sum;
}

}  // namespace

struct Result {
  uint64_t sum;
  uint32_t changed;
};

// Reads the picture again and again for `nanoseconds`, at least once. `*result`, in page-locked
// host memory, gets the first sum, and how many of the others differed. One block, 32 threads wide.
extern "C" __global__ void nv12slot_soak_read(const uint8_t* y, size_t y_pitch, const uint8_t* uv,
                                              size_t uv_pitch, uint32_t width, uint32_t height,
                                              uint64_t nanoseconds, Result* result) {
  __shared__ unsigned long long sum;
  __shared__ bool goes_on;
  const bool is_first_thread = threadIdx.x == 0 && threadIdx.y == 0;
  const uint64_t end = now_ns() + nanoseconds;
  uint64_t first = 0;
  uint32_t changed = 0;
  for (bool is_first = true;; is_first = false) {
    if (is_first_thread) sum = 0;
    __syncthreads();
    const uint64_t part =
        sum_of(y, y_pitch, width, height, 0) + sum_of(uv, uv_pitch, width, height / 2, height);
    atomicAdd(&sum, static_cast<unsigned long long>(part));
    __syncthreads();
    if (is_first_thread) {
      if (is_first) first = sum;
      if (sum != first) ++changed;
      goes_on = now_ns() < end;
    }
    __syncthreads();
    if (!goes_on) break;
  }
  if (!is_first_thread) return;
  result->sum = first;
  result->changed = changed;
  __threadfence_system();
}
