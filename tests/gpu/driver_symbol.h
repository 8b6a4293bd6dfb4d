// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "nv12slot/result.h"

namespace nv12slot::gpu {

/// Ends the program with the text of a failure.
inline void check(const Status& status) {
  if (status) return;
  fmt::print(stderr, "{}\n", status.error().message);
  std::abort();
}

/// A function of the driver that the library itself has no use for.
template <typename Function>
Function* driver_symbol(const char* name) {
  void* symbol = dlsym(dlopen("libcuda.so.1", RTLD_NOW), name);
  if (symbol == nullptr) check(Error{Errc::kNoDevice, name});
  return reinterpret_cast<Function*>(symbol);
}

}  // namespace nv12slot::gpu
