// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cuda.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

namespace nv12slot {

/// A call of the driver that is loaded, for tests that look at the device beside the library's
/// back: cuda_symbol<decltype(&::cuCtxGetCurrent)>("cuCtxGetCurrent"). cuda.h renames some calls to
/// the version it declares, so use NV12SLOT_TEST_CUDA, which follows.
template <typename Function>
Function cuda_symbol(const char* name) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);  // already there; stays
  const auto function = reinterpret_cast<Function>(dlsym(library, name));
  EXPECT_NE(function, nullptr) << name;
  return function;
}

}  // namespace nv12slot

#define NV12SLOT_TEST_STRING(x) #x
#define NV12SLOT_TEST_SYMBOL(x) NV12SLOT_TEST_STRING(x)
/// Calls `function` and expects success: NV12SLOT_TEST_CUDA(cuCtxGetCurrent, &context).
#define NV12SLOT_TEST_CUDA(function, ...)                                                          \
  EXPECT_EQ(                                                                                       \
      ::nv12slot::cuda_symbol<decltype(&::function)>(NV12SLOT_TEST_SYMBOL(function))(__VA_ARGS__), \
      CUDA_SUCCESS)                                                                                \
      << #function
