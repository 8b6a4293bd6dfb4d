// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <optional>

namespace nv12slot::bench {

/// When avcodec_receive_frame() last gave the calling thread a frame, once for each frame; empty if
/// it has given none since the last call. This program's avcodec_receive_frame() takes the place of
/// FFmpeg's for every library of the process, notes the time and calls FFmpeg's.
[[nodiscard]] std::optional<std::chrono::steady_clock::time_point> take_receive_time();

}  // namespace nv12slot::bench
