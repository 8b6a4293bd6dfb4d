// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "../standin/standin_control.h"
#include "nv12slot/cuda_device.h"

namespace nv12slot::gpu {

/// Whether this machine has a GPU: a device of a real driver, not of the stand-in.
[[nodiscard]] inline bool have_gpu() {
  return cuda_device_count() > 0 && !standin::control().present();
}

}  // namespace nv12slot::gpu
