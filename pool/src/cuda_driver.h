// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// Only here: the rest of the library sees CUDA through this header, or not at all.
#include <cuda.h>

#include <type_traits>

#include "cuda_functions.h"
#include "nv12slot/result.h"

namespace nv12slot {

/// The driver API, loaded at run time. One for the process, never unloaded. Any thread.
struct CudaDriver {
#define NV12SLOT_CUDA_FIELD(function) decltype(&::function) function = nullptr;
  NV12SLOT_CUDA_FUNCTIONS(NV12SLOT_CUDA_FIELD)
#undef NV12SLOT_CUDA_FIELD
#define NV12SLOT_CUDA_OPTIONAL_FIELD(function, ...) \
  std::add_pointer_t<__VA_ARGS__> function = nullptr;
  NV12SLOT_CUDA_OPTIONAL_FUNCTIONS(NV12SLOT_CUDA_OPTIONAL_FIELD)
#undef NV12SLOT_CUDA_OPTIONAL_FIELD

  /// The driver, loaded and initialised by the first call; later calls give the same answer. Fails
  /// with kNoDevice (no libcuda.so.1, one that is too old, cuInit failed; each said) or kExiting.
  [[nodiscard]] static Result<const CudaDriver*> get();

  /// True once exit() has begun: the driver may be gone at any moment and is not called any more.
  [[nodiscard]] static bool is_exiting();

  /// Success, or an Error with the call, its place, and CUDA's name and text. kOutOfMemory and
  /// kExiting are told apart, all else is kDeviceFailed.
  [[nodiscard]] Status check(CUresult result, const char* call, const char* file, int line) const;
};

}  // namespace nv12slot

/// The Status of one driver call; the call is not made once exit() has begun.
#define NV12SLOT_CUDA(driver, function, ...)                                            \
  (driver).check(::nv12slot::CudaDriver::is_exiting() ? CUDA_ERROR_DEINITIALIZED        \
                                                      : (driver).function(__VA_ARGS__), \
                 #function "(" #__VA_ARGS__ ")", __FILE__, __LINE__)
