// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/host_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace nv12slot {
namespace {

void copy_plane(std::uintptr_t destination, std::size_t destination_pitch, std::uintptr_t source,
                std::size_t source_pitch, std::size_t row_bytes, std::size_t rows) {
  auto* to = reinterpret_cast<std::byte*>(destination);
  const auto* from = reinterpret_cast<const std::byte*>(source);
  if (destination_pitch == row_bytes && source_pitch == row_bytes) {
    std::memcpy(to, from, row_bytes * rows);
    return;
  }
  // Never in one piece where rows are padded: the last row's padding may not exist.
  for (std::size_t row = 0; row < rows; ++row) {
    std::memcpy(to + row * destination_pitch, from + row * source_pitch, row_bytes);
  }
}

void convert_plane(std::uintptr_t destination, std::size_t destination_pitch, std::uintptr_t source,
                   std::size_t source_pitch, std::size_t samples, std::size_t rows) {
  for (std::size_t row = 0; row < rows; ++row) {
    auto* to = reinterpret_cast<std::uint8_t*>(destination + row * destination_pitch);
    const auto* from = reinterpret_cast<const std::uint16_t*>(source + row * source_pitch);
    for (std::size_t i = 0; i < samples; ++i) {
      to[i] = static_cast<std::uint8_t>(std::min((from[i] + 128) >> 8, 255));
    }
  }
}

Error not_of_the_host(Domain from, Domain to) {
  return {
      Errc::kInvalidArgument,
      fmt::format("the host copies host memory only, not from domain {} to {}; copy on the CUDA "
                  "device that has the other side",
                  from, to)};
}

Error no_kernels() {
  return {Errc::kInvalidArgument, "the host runs no kernels"};
}

}  // namespace

Result<std::uintptr_t> HostDevice::allocate(std::size_t bytes, StreamHandle) {
  const std::size_t alignment = row_alignment();
  if (bytes > SIZE_MAX - alignment) {
    return Error{Errc::kOutOfMemory, fmt::format("no host memory of {} bytes", bytes)};
  }
  // aligned_alloc wants a multiple of the alignment.
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) {
    return Error{Errc::kOutOfMemory, fmt::format("no host memory of {} bytes", bytes)};
  }
  return reinterpret_cast<std::uintptr_t>(memory);
}

Status HostDevice::free(std::uintptr_t memory, StreamHandle) {
  std::free(reinterpret_cast<void*>(memory));  // NOLINT: what allocate() gave
  return {};
}

Status HostDevice::copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source,
                        Domain from, std::uint32_t width, std::uint32_t height, StreamHandle) {
  if (to != kHostDomain || from != kHostDomain) {
    return not_of_the_host(from, to);
  }
  copy_plane(destination.y, destination.y_pitch, source.y, source.y_pitch, width, height);
  copy_plane(destination.uv, destination.uv_pitch, source.uv, source.uv_pitch, width, height / 2);
  return {};
}

Status HostDevice::convert_p010(const Nv12Planes& destination, const Nv12Planes& source,
                                std::uint32_t width, std::uint32_t height, StreamHandle) {
  convert_plane(destination.y, destination.y_pitch, source.y, source.y_pitch, width, height);
  convert_plane(destination.uv, destination.uv_pitch, source.uv, source.uv_pitch, width,
                height / 2);
  return {};
}

Status HostDevice::copy_bytes(std::uintptr_t destination, Domain to, std::uintptr_t source,
                              Domain from, std::size_t bytes, StreamHandle) {
  if (to != kHostDomain || from != kHostDomain) return not_of_the_host(from, to);
  if (bytes == 0) return {};
  std::memcpy(reinterpret_cast<void*>(destination), reinterpret_cast<const void*>(source), bytes);
  return {};
}

Status HostDevice::read_from(Device& other) {
  if (other.domain() == kHostDomain) return {};
  return Error{Errc::kInvalidArgument,
               fmt::format("the host reads no memory of CUDA device {}; copy it with that device",
                           other.domain())};
}

Result<KernelHandle> HostDevice::load_kernel(const void*, const char*) {
  return no_kernels();
}

Status HostDevice::launch(KernelHandle, const LaunchGrid&, void**, StreamHandle) {
  return no_kernels();
}

Status HostDevice::run(const std::function<void()>& work) {
  work();
  return {};
}

}  // namespace nv12slot
