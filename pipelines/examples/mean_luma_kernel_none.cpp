// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mean_luma_kernel.h"

std::unique_ptr<LumaKernel> LumaKernel::open(int) {
  return nullptr;
}
