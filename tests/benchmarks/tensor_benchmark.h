// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "bars.h"

namespace nv12slot::bench {

/// The bars of tensor_benchmark_gpu.cpp, which is not in every build.
[[nodiscard]] std::vector<Bar> gpu_tensor_bars();

inline constexpr std::uint32_t kPictureWidth = 1920;
inline constexpr std::uint32_t kPictureHeight = 1080;
inline constexpr std::uint32_t kTensorSide = 640;

}  // namespace nv12slot::bench
