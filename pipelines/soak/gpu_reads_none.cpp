// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A build without CUDA has no frames on a device.
#include <stdexcept>

#include "gpu_reads.h"

namespace soak {

struct GpuReads::State {};

GpuReads::GpuReads(int, unsigned) {
  throw std::runtime_error("this build has no CUDA");
}
GpuReads::~GpuReads() = default;
std::optional<unsigned> GpuReads::begin(GstNv12SlotFrame*, unsigned, std::chrono::milliseconds) {
  return std::nullopt;
}
void GpuReads::fence(GstNv12SlotFrame*, unsigned) {}
std::optional<ReadOutcome> GpuReads::take(unsigned) {
  return std::nullopt;
}
std::optional<double> device_memory_mib(int) {
  return std::nullopt;
}

}  // namespace soak
