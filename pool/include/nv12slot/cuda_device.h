// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>

#include "nv12slot/device.h"

namespace nv12slot {

/// Number of CUDA devices; 0 without a driver or in a build without CUDA. Loads libcuda.so.1 at the
/// first call, never earlier.
[[nodiscard]] int cuda_device_count();

/// Opens CUDA device `ordinal`: retains its primary context, loads the copy kernel and launches it
/// once, so that nothing is loaded lazily behind running kernels later. Takes some 100 ms where the
/// context does not exist yet. Fails with kNoDevice (no driver, no such ordinal, a build without
/// CUDA, each said in the message) or kDeviceFailed.
[[nodiscard]] Result<std::unique_ptr<Device>> open_cuda_device(int ordinal);

}  // namespace nv12slot
