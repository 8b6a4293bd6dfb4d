// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "bars.h"

namespace nv12slot::bench {

/// The bars of decoder_benchmark_gpu.cpp, which is not in every build.
[[nodiscard]] std::vector<Bar> gpu_decoder_bars();

/// Rounds in which the sides that are compared take turns: NV12SLOT_REPETITIONS (5).
[[nodiscard]] int repetitions();

}  // namespace nv12slot::bench
