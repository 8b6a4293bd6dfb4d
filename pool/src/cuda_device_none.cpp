// SPDX-License-Identifier: LGPL-2.1-or-later
// A build without the CUDA Toolkit.
#include "nv12slot/cuda_device.h"

namespace nv12slot {

int cuda_device_count() {
  return 0;
}

Result<std::unique_ptr<Device>> open_cuda_device(int) {
  return Error{Errc::kNoDevice,
               "this nv12slot was built without CUDA; build it with the CUDA Toolkit installed"};
}

}  // namespace nv12slot
