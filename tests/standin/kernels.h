// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Kernels that the stand-in runs on the CPU, by name.

#ifndef NV12SLOT_TESTS_STANDIN_KERNELS_H_
#define NV12SLOT_TESTS_STANDIN_KERNELS_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "standin.h"

namespace nv12slot::standin {

struct Kernel {
  std::vector<size_t> parameter_sizes;
  void (*run)(const standin_launch* launch);
  size_t (*ranges)(const standin_launch* launch, standin_range* ranges);
};

inline constexpr size_t kMaxKernelRanges = 64;

// All registered kernels, the built-in ones included. Guarded by the driver's mutex.
std::map<std::string, Kernel>& kernels();

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_KERNELS_H_
