// SPDX-License-Identifier: LGPL-2.1-or-later
// Stands for the first module that brings a pool. Nothing in it keeps it loaded by itself, as GCC's
// unique symbols do with those that contain the library.
#include "nv12slot/process.h"

namespace nv12slot {

extern "C" __attribute__((visibility("default"))) const Process* nv12slot_process_v1() {
  static const Process process{nullptr, nullptr};
  return &process;
}

}  // namespace nv12slot
