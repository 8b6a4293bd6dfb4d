// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <chrono>

// What the benchmarks ask of the machine and of GStreamer. Any thread.
namespace nv12slot::bench {

[[nodiscard]] double to_ms(std::chrono::nanoseconds duration);

/// The number that the environment variable `name` holds; `otherwise` if it holds none.
[[nodiscard]] double setting(const char* name, double otherwise);

/// Whether GStreamer has an element of this name.
[[nodiscard]] bool has_element(const char* name);

/// Bytes in use on the first GPU, by NVML, whoever uses them; 0 without it.
[[nodiscard]] double device_memory();
/// main() calls the first before anything of CUDA's; the second is what is in use more since then.
void remember_device_memory();
[[nodiscard]] double device_memory_since();

/// User and system time of all threads of the process so far.
[[nodiscard]] std::chrono::nanoseconds cpu_time();

/// Gives the elements of `pipeline` the one CUDA context that the slots of the first device are in.
/// Nothing happens in a build without CUDA.
void share_cuda_context(GstElement* pipeline);

}  // namespace nv12slot::bench
