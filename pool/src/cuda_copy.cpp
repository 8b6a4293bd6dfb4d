// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include "cuda_context.h"
#include "cuda_device_impl.h"

// copy_nv12.cu, compiled and embedded by the build.
extern "C" const unsigned char nv12slot_copy_nv12_fatbin[];

namespace nv12slot {
namespace {

constexpr unsigned kRowsPerBlock = 4;
constexpr unsigned kThreadsPerRow = 64;
// What the kernel loads and stores at once.
constexpr std::uintptr_t kKernelAlignment = 16;

bool is_aligned(const Nv12Planes& planes) {
  return ((planes.y | planes.uv | planes.y_pitch | planes.uv_pitch) % kKernelAlignment) == 0;
}

CUDA_MEMCPY2D plane_copy(std::uintptr_t destination, std::size_t destination_pitch, bool to_host,
                         std::uintptr_t source, std::size_t source_pitch, bool from_host,
                         std::size_t row_bytes, std::size_t rows) {
  CUDA_MEMCPY2D copy = {};
  copy.srcMemoryType = from_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
  if (from_host) {
    copy.srcHost = reinterpret_cast<const void*>(source);
  } else {
    copy.srcDevice = source;
  }
  copy.srcPitch = source_pitch;
  copy.dstMemoryType = to_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
  if (to_host) {
    copy.dstHost = reinterpret_cast<void*>(destination);
  } else {
    copy.dstDevice = destination;
  }
  copy.dstPitch = destination_pitch;
  copy.WidthInBytes = row_bytes;
  copy.Height = rows;
  return copy;
}

}  // namespace

Status CudaDevice::load_kernels() {
  const Result<KernelHandle> copy_nv12 =
      load_kernel(nv12slot_copy_nv12_fatbin, "nv12slot_copy_nv12");
  if (!copy_nv12) return copy_nv12.error();
  const Result<KernelHandle> convert_p010 =
      load_kernel(nv12slot_copy_nv12_fatbin, "nv12slot_convert_p010");
  if (!convert_p010) return convert_p010.error();
  copy_nv12_ = copy_nv12.value();
  convert_p010_ = convert_p010.value();
  return warm_kernels_up();
}

Status CudaDevice::warm_kernels_up() {
  // The driver loads a kernel at its first launch, holding the context's lock until the device is
  // idle, and a memory pool takes its first memory from the system. So both happen now, with two
  // pictures of 2 x 2.
  const Result<StreamHandle> stream = take_stream();
  if (!stream) return stream.error();
  const std::size_t pitch = row_alignment_;
  const Result<std::uintptr_t> memory = allocate(6 * pitch, stream.value());
  if (!memory) {
    give_stream(stream.value());
    // Says nothing of the kernel: it is loaded later then.
    if (memory.code() == Errc::kOutOfMemory) return {};
    return memory.error();
  }
  const std::uintptr_t from = memory.value();
  const std::uintptr_t to = from + 3 * pitch;
  const Nv12Planes picture{from, from + 2 * pitch, pitch, pitch};
  const Nv12Planes other{to, to + 2 * pitch, pitch, pitch};
  Status status = launch_copy(other, picture, 2, 2, stream.value());
  if (status) status = launch_convert(other, picture, 2, 2, stream.value());
  if (Status freed = free(from, stream.value()); status) status = std::move(freed);
  if (status) status = synchronize(stream.value());
  give_stream(stream.value());
  return status;
}

Result<KernelHandle> CudaDevice::load_kernel(const void* image, const char* name) {
  if (image == nullptr || name == nullptr || *name == '\0') {
    return Error{Errc::kInvalidArgument, "a kernel is loaded from an image, by its name"};
  }
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status().error();
  const Result<CUfunction> kernel = kernels_.load(image, name);
  if (!kernel) return kernel.error();
  return KernelHandle{kernel.value()};
}

Status CudaDevice::launch(KernelHandle kernel, const LaunchGrid& grid, void** parameters,
                          StreamHandle stream) {
  if (kernel == nullptr) return Error{Errc::kInvalidArgument, "there is no kernel to launch"};
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  return NV12SLOT_CUDA(driver_, cuLaunchKernel, static_cast<CUfunction>(kernel), grid.grid[0],
                       grid.grid[1], grid.grid[2], grid.block[0], grid.block[1], grid.block[2], 0,
                       static_cast<CUstream>(stream), parameters, nullptr);
}

Status CudaDevice::copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source,
                        Domain from, std::uint32_t width, std::uint32_t height,
                        StreamHandle stream) {
  if (Status status = check_domains(from, to); !status) return status;
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  const bool to_host = to == kHostDomain;
  const bool from_host = from == kHostDomain;
  if (!to_host && !from_host && copy_nv12_ != nullptr && is_aligned(destination) &&
      is_aligned(source)) {
    return launch_copy(destination, source, width, height, stream);
  }
  const auto in_stream = static_cast<CUstream>(stream);
  const CUDA_MEMCPY2D y = plane_copy(destination.y, destination.y_pitch, to_host, source.y,
                                     source.y_pitch, from_host, width, height);
  if (Status status = NV12SLOT_CUDA(driver_, cuMemcpy2DAsync, &y, in_stream); !status) {
    return status;
  }
  const CUDA_MEMCPY2D uv = plane_copy(destination.uv, destination.uv_pitch, to_host, source.uv,
                                      source.uv_pitch, from_host, width, height / 2);
  return NV12SLOT_CUDA(driver_, cuMemcpy2DAsync, &uv, in_stream);
}

// One launch instead of two copies: device-to-device copies run as kernels too, and where
// inference fills the GPU each of them waits its turn (docs/performance.md).
Status CudaDevice::launch_copy(const Nv12Planes& destination, const Nv12Planes& source,
                               std::uint32_t width, std::uint32_t height, StreamHandle stream) {
  Nv12Planes from = source;
  Nv12Planes to = destination;
  void* parameters[] = {&from.y,     &from.y_pitch, &from.uv,     &from.uv_pitch, &to.y,
                        &to.y_pitch, &to.uv,        &to.uv_pitch, &width,         &height};
  return launch_rows(copy_nv12_, height, parameters, stream);
}

Status CudaDevice::launch_convert(const Nv12Planes& destination, const Nv12Planes& source,
                                  std::uint32_t width, std::uint32_t height, StreamHandle stream) {
  Nv12Planes from = source;
  Nv12Planes to = destination;
  std::uint32_t aligned = is_aligned(destination) && is_aligned(source) ? 1 : 0;
  void* parameters[] = {&from.y, &from.y_pitch, &from.uv, &from.uv_pitch, &to.y,   &to.y_pitch,
                        &to.uv,  &to.uv_pitch,  &width,   &height,        &aligned};
  return launch_rows(convert_p010_, height, parameters, stream);
}

// For kernels that work on rows, of both planes.
Status CudaDevice::launch_rows(KernelHandle kernel, std::uint32_t height, void** parameters,
                               StreamHandle stream) {
  const std::uint32_t rows = height + height / 2;
  const LaunchGrid grid{.grid = {(rows + kRowsPerBlock - 1) / kRowsPerBlock, 1, 1},
                        .block = {kThreadsPerRow, kRowsPerBlock, 1}};
  return launch(kernel, grid, parameters, stream);
}

Status CudaDevice::convert_p010(const Nv12Planes& destination, const Nv12Planes& source,
                                std::uint32_t width, std::uint32_t height, StreamHandle stream) {
  if (convert_p010_ == nullptr) {
    return Error{
        Errc::kDeviceFailed,
        fmt::format("device {} has no kernel that makes NV12 of 10-bit pictures: its driver "
                    "could not load it",
                    ordinal_)};
  }
  return launch_convert(destination, source, width, height, stream);
}

Status CudaDevice::copy_bytes(std::uintptr_t destination, Domain to, std::uintptr_t source,
                              Domain from, std::size_t bytes, StreamHandle stream) {
  if (Status status = check_domains(from, to); !status) return status;
  if (bytes == 0) return {};
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  // The driver tells host from device by the address.
  return NV12SLOT_CUDA(driver_, cuMemcpyAsync, destination, source, bytes,
                       static_cast<CUstream>(stream));
}

Status CudaDevice::check_domains(Domain from, Domain to) {
  const auto is_ours = [this](Domain domain) {
    return domain == ordinal_ || domain == kHostDomain;
  };
  if (is_ours(to)) {
    if (is_ours(from)) return {};
    MutexLock lock(peers_mutex_);
    const auto peer = peers_.find(from);
    if (peer != peers_.end() && peer->second) return {};
  }
  return Error{
      Errc::kInvalidArgument,
      fmt::format("CUDA device {} copies between itself and the host (domain {}), and from "
                  "devices that read_from() made readable, not from domain {} to {}",
                  ordinal_, kHostDomain, from, to)};
}

Status CudaDevice::read_from(Device& other) {
  const Domain domain = other.domain();
  if (domain == ordinal_) return {};
  const auto* peer = dynamic_cast<const CudaDevice*>(&other);
  if (peer == nullptr) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("CUDA device {} reads memory of CUDA devices only, not of domain {}",
                             ordinal_, domain)};
  }
  {
    MutexLock lock(peers_mutex_);
    if (const auto known = peers_.find(domain); known != peers_.end()) return known->second;
  }
  // Two threads may come here at once: doing it twice does no harm.
  Status status = make_readable(*peer);
  if (status || status.code() == Errc::kNoDevice) {
    MutexLock lock(peers_mutex_);
    peers_.emplace(domain, status);
  }
  return status;
}

Status CudaDevice::make_readable(const CudaDevice& peer) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  int can_access = 0;
  if (Status status =
          NV12SLOT_CUDA(driver_, cuDeviceCanAccessPeer, &can_access, device_, peer.device_);
      !status) {
    return status;
  }
  if (can_access == 0) {
    return Error{
        Errc::kNoDevice,
        fmt::format("CUDA device {} has no peer access to device {}: nothing connects them "
                    "that the driver lets it read through (nvidia-smi topo -p2p r)",
                    ordinal_, peer.ordinal_)};
  }
  if (peer.pool_ != nullptr) {
    // A pool's memory knows nothing of cuCtxEnablePeerAccess().
    CUmemAccessDesc access = {};
    access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    access.location.id = ordinal_;
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    return NV12SLOT_CUDA(driver_, cuMemPoolSetAccess, peer.pool_, &access, 1);
  }
  const CUresult result = CudaDriver::is_exiting()
                              ? CUDA_ERROR_DEINITIALIZED
                              : driver_.cuCtxEnablePeerAccess(peer.context_, 0);
  // The application's own code may have asked: the contexts are the primary ones.
  if (result == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED) return {};
  return driver_.check(result, "cuCtxEnablePeerAccess(peer.context_, 0)", __FILE__, __LINE__);
}

}  // namespace nv12slot
