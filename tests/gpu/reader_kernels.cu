// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What stands for inference in the GPU suite: kernels whose duration a test chooses.
#include <cstddef>
#include <cstdint>

namespace {

__device__ uint64_t now_ns() {
  uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}

}  // namespace

// Every block keeps its place on the device for `nanoseconds`.
extern "C" __global__ void nv12slot_spin(uint64_t nanoseconds) {
  const uint64_t end = now_ns() + nanoseconds;
  while (now_ns() < end) {
  }
}

// Reads a plane over and over for `nanoseconds` and counts in `*differing`, which lies in
// page-locked host memory, how often a byte was not `expected`. One block.
extern "C" __global__ void nv12slot_watch(const uint8_t* plane, size_t pitch, uint32_t width,
                                          uint32_t height, uint8_t expected, uint64_t nanoseconds,
                                          uint32_t* differing) {
  const volatile uint8_t* bytes = plane;
  const uint64_t end = now_ns() + nanoseconds;
  do {
    for (uint32_t row = 0; row < height; ++row) {
      for (uint32_t column = threadIdx.x; column < width; column += blockDim.x) {
        if (bytes[row * pitch + column] != expected) atomicAdd_system(differing, 1u);
      }
    }
  } while (now_ns() < end);
}
