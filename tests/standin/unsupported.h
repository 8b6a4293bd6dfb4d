// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Defines a driver function that is counted and answered CUDA_ERROR_NOT_SUPPORTED. It is declared
// without parameters: the C calling conventions of the supported machines let a callee ignore them.

#ifndef NV12SLOT_TESTS_STANDIN_UNSUPPORTED_H_
#define NV12SLOT_TESTS_STANDIN_UNSUPPORTED_H_

#include "driver.h"

#define STANDIN_UNSUPPORTED(name) \
  CUresult name() {               \
    STANDIN_ENTER(kNothing);      \
    return kNotSupported;         \
  }                               \
  static_assert(true)

#endif  // NV12SLOT_TESTS_STANDIN_UNSUPPORTED_H_
