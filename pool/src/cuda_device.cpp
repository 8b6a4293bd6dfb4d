// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Locks: none but those inside the two HandleLists.
#include "nv12slot/cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "cuda_context.h"
#include "cuda_driver.h"
#include "handle_list.h"
#include "nv12slot/log.h"

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

class CudaDevice final : public Device {
 public:
  CudaDevice(const CudaDriver& driver, int ordinal) : driver_(driver), ordinal_(ordinal) {}
  ~CudaDevice() override;

  // Called once, first; on failure the object can only be destroyed.
  Status open();

  [[nodiscard]] Domain domain() const override { return ordinal_; }
  [[nodiscard]] void* context() const override { return context_; }
  [[nodiscard]] std::size_t row_alignment() const override { return row_alignment_; }
  Result<std::uintptr_t> allocate(std::size_t bytes, StreamHandle stream) override;
  Status free(std::uintptr_t memory, StreamHandle stream) override;
  Result<StreamHandle> take_stream() override;
  void give_stream(StreamHandle stream) override { streams_.give(stream); }
  Result<EventHandle> take_event() override;
  void give_event(EventHandle event) override { events_.give(event); }
  Status record(EventHandle event, StreamHandle stream) override;
  Result<bool> is_complete(EventHandle event) override;
  Status wait(StreamHandle stream, EventHandle event) override;
  Status copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source, Domain from,
              std::uint32_t width, std::uint32_t height, StreamHandle stream) override;
  Status convert_p010(const Nv12Planes& destination, const Nv12Planes& source, std::uint32_t width,
                      std::uint32_t height, StreamHandle stream) override;
  Status synchronize(StreamHandle stream) override;
  Status run(const std::function<void()>& work) override;

 private:
  Status open_memory_pool();
  Status load_kernels();
  Status warm_kernels_up();
  Status launch_copy(const Nv12Planes& destination, const Nv12Planes& source, std::uint32_t width,
                     std::uint32_t height, CUstream stream);
  Status launch_convert(const Nv12Planes& destination, const Nv12Planes& source,
                        std::uint32_t width, std::uint32_t height, CUstream stream);
  Status launch(CUfunction kernel, std::uint32_t height, void** parameters, CUstream stream);

  const CudaDriver& driver_;
  const int ordinal_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;  // retained once set
  CUmemoryPool pool_ = nullptr;  // nullptr: the device has no such pools
  CUmodule module_ = nullptr;
  // nullptr: the driver cannot load them
  CUfunction copy_nv12_ = nullptr;
  CUfunction convert_p010_ = nullptr;
  std::size_t row_alignment_ = 0;
  int highest_priority_ = 0;
  HandleList streams_;
  HandleList events_;
};

CudaDevice::~CudaDevice() {
  if (context_ == nullptr) return;
  Status status;
  const auto note = [&status](Status next) {
    if (status) status = std::move(next);
  };
  {
    const CurrentContext current(driver_, context_);
    note(current.status());
    while (void* stream = streams_.take()) {
      note(NV12SLOT_CUDA(driver_, cuStreamDestroy, static_cast<CUstream>(stream)));
    }
    while (void* event = events_.take()) {
      note(NV12SLOT_CUDA(driver_, cuEventDestroy, static_cast<CUevent>(event)));
    }
    if (module_ != nullptr) note(NV12SLOT_CUDA(driver_, cuModuleUnload, module_));
    if (pool_ != nullptr) note(NV12SLOT_CUDA(driver_, cuMemPoolDestroy, pool_));
  }
  note(NV12SLOT_CUDA(driver_, cuDevicePrimaryCtxRelease, device_));
  if (!status && status.code() != Errc::kExiting) {
    log(LogLevel::kError, "DEVICE " + status.error().message);
  }
}

Status CudaDevice::open() {
  if (Status status = NV12SLOT_CUDA(driver_, cuDeviceGet, &device_, ordinal_); !status) {
    return status;
  }
  std::array<char, 128> name = {};
  if (Status status = NV12SLOT_CUDA(driver_, cuDeviceGetName, name.data(),
                                    static_cast<int>(name.size()) - 1, device_);
      !status) {
    return status;
  }
  int alignment = 0;
  if (Status status = NV12SLOT_CUDA(driver_, cuDeviceGetAttribute, &alignment,
                                    CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, device_);
      !status) {
    return status;
  }
  row_alignment_ = static_cast<std::size_t>(std::max(alignment, 1));

  // The primary context, because everything built on the CUDA runtime lives there. Its flags are
  // the application's business.
  if (Status status = NV12SLOT_CUDA(driver_, cuDevicePrimaryCtxRetain, &context_, device_);
      !status) {
    context_ = nullptr;
    return status;
  }
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  int lowest_priority = 0;
  if (Status status =
          NV12SLOT_CUDA(driver_, cuCtxGetStreamPriorityRange, &lowest_priority, &highest_priority_);
      !status) {
    return status;
  }
  if (Status status = open_memory_pool(); !status) return status;
  if (Status status = load_kernels(); !status) {
    if (status.code() == Errc::kExiting) return status;
    // Such as a driver older than the toolkit that compiled the kernels.
    copy_nv12_ = nullptr;
    convert_p010_ = nullptr;
    log(LogLevel::kWarning,
        fmt::format("DEVICE {}: no copy kernels, so each copy takes two calls of the driver, and "
                    "10-bit pictures cannot be converted; a newer driver may help: {}",
                    ordinal_, status.error().message));
  }
  log(LogLevel::kInfo, fmt::format("DEVICE {}: {}, memory from {}, copies by {}", ordinal_,
                                   name.data(), pool_ != nullptr ? "a pool" : "cuMemAlloc",
                                   copy_nv12_ != nullptr ? "kernel" : "cuMemcpy2DAsync"));
  return {};
}

Status CudaDevice::open_memory_pool() {
  CUmemPoolProps properties = {};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.handleTypes = CU_MEM_HANDLE_TYPE_NONE;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.location.id = ordinal_;
  // A pool of its own: the default one's settings are the application's business.
  if (Status status = NV12SLOT_CUDA(driver_, cuMemPoolCreate, &pool_, &properties); !status) {
    pool_ = nullptr;
    if (status.code() == Errc::kExiting) return status;
    // Such as a virtual GPU without memory pools (CUDA_ERROR_NOT_SUPPORTED).
    log(LogLevel::kWarning,
        fmt::format("DEVICE {}: no memory pool, so everything waits for the device when a slot is "
                    "retired: {}",
                    ordinal_, status.error().message));
    return {};
  }
  // Nothing goes back to the system, where giving it back would wait for the device.
  cuuint64_t release_threshold = UINT64_MAX;
  if (Status status = NV12SLOT_CUDA(driver_, cuMemPoolSetAttribute, pool_,
                                    CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &release_threshold);
      !status) {
    return status;
  }
  // Or an allocation could be made to wait for work in the stream that freed the memory last.
  int allow = 0;
  return NV12SLOT_CUDA(driver_, cuMemPoolSetAttribute, pool_,
                       CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES, &allow);
}

Status CudaDevice::load_kernels() {
  if (Status status = NV12SLOT_CUDA(driver_, cuModuleLoadData, &module_, nv12slot_copy_nv12_fatbin);
      !status) {
    module_ = nullptr;
    return status;
  }
  if (Status status =
          NV12SLOT_CUDA(driver_, cuModuleGetFunction, &copy_nv12_, module_, "nv12slot_copy_nv12");
      !status) {
    return status;
  }
  if (Status status = NV12SLOT_CUDA(driver_, cuModuleGetFunction, &convert_p010_, module_,
                                    "nv12slot_convert_p010");
      !status) {
    return status;
  }
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
  const auto in_stream = static_cast<CUstream>(stream.value());
  Status status = launch_copy(other, picture, 2, 2, in_stream);
  if (status) status = launch_convert(other, picture, 2, 2, in_stream);
  if (Status freed = free(from, stream.value()); status) status = std::move(freed);
  if (status) status = synchronize(stream.value());
  give_stream(stream.value());
  return status;
}

Result<std::uintptr_t> CudaDevice::allocate(std::size_t bytes, StreamHandle stream) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status().error();
  CUdeviceptr memory = 0;
  if (pool_ == nullptr) {
    if (Status status = NV12SLOT_CUDA(driver_, cuMemAlloc, &memory, bytes); !status) {
      return status.error();
    }
    return static_cast<std::uintptr_t>(memory);
  }
  const auto in_stream = static_cast<CUstream>(stream);
  if (Status status =
          NV12SLOT_CUDA(driver_, cuMemAllocFromPoolAsync, &memory, bytes, pool_, in_stream);
      !status) {
    return status.error();
  }
  // The memory may be used in this stream only, until the stream has come here.
  if (Status status = NV12SLOT_CUDA(driver_, cuStreamSynchronize, in_stream); !status) {
    (void)free(memory, stream);  // the first error is the one to tell
    return status.error();
  }
  return static_cast<std::uintptr_t>(memory);
}

Status CudaDevice::free(std::uintptr_t memory, StreamHandle stream) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  // cuMemFree() waits for the device; there is nothing better without memory pools.
  if (pool_ == nullptr) return NV12SLOT_CUDA(driver_, cuMemFree, memory);
  return NV12SLOT_CUDA(driver_, cuMemFreeAsync, memory, static_cast<CUstream>(stream));
}

Result<StreamHandle> CudaDevice::take_stream() {
  if (void* recycled = streams_.take()) return StreamHandle{recycled};
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status().error();
  CUstream stream = nullptr;
  if (Status status = NV12SLOT_CUDA(driver_, cuStreamCreateWithPriority, &stream,
                                    CU_STREAM_NON_BLOCKING, highest_priority_);
      !status) {
    return status.error();
  }
  return StreamHandle{stream};
}

Result<EventHandle> CudaDevice::take_event() {
  if (void* recycled = events_.take()) return EventHandle{recycled};
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status().error();
  CUevent event = nullptr;
  if (Status status = NV12SLOT_CUDA(driver_, cuEventCreate, &event, CU_EVENT_DISABLE_TIMING);
      !status) {
    return status.error();
  }
  return EventHandle{event};
}

Status CudaDevice::record(EventHandle event, StreamHandle stream) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  return NV12SLOT_CUDA(driver_, cuEventRecord, static_cast<CUevent>(event),
                       static_cast<CUstream>(stream));
}

Result<bool> CudaDevice::is_complete(EventHandle event) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status().error();
  const CUresult result = CudaDriver::is_exiting()
                              ? CUDA_ERROR_DEINITIALIZED
                              : driver_.cuEventQuery(static_cast<CUevent>(event));
  if (result == CUDA_ERROR_NOT_READY) return false;
  if (Status status = driver_.check(result, "cuEventQuery(event)", __FILE__, __LINE__); !status) {
    return status.error();
  }
  return true;
}

Status CudaDevice::wait(StreamHandle stream, EventHandle event) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  return NV12SLOT_CUDA(driver_, cuStreamWaitEvent, static_cast<CUstream>(stream),
                       static_cast<CUevent>(event), 0);
}

Status CudaDevice::copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source,
                        Domain from, std::uint32_t width, std::uint32_t height,
                        StreamHandle stream) {
  const auto is_ours = [this](Domain domain) {
    return domain == ordinal_ || domain == kHostDomain;
  };
  if (!is_ours(to) || !is_ours(from)) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("CUDA device {} copies between itself and the host (domain {}), not "
                             "from domain {} to {}",
                             ordinal_, kHostDomain, from, to)};
  }
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  const auto in_stream = static_cast<CUstream>(stream);
  const bool to_host = to == kHostDomain;
  const bool from_host = from == kHostDomain;
  if (!to_host && !from_host && copy_nv12_ != nullptr && is_aligned(destination) &&
      is_aligned(source)) {
    return launch_copy(destination, source, width, height, in_stream);
  }
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
                               std::uint32_t width, std::uint32_t height, CUstream stream) {
  Nv12Planes from = source;
  Nv12Planes to = destination;
  void* parameters[] = {&from.y,     &from.y_pitch, &from.uv,     &from.uv_pitch, &to.y,
                        &to.y_pitch, &to.uv,        &to.uv_pitch, &width,         &height};
  return launch(copy_nv12_, height, parameters, stream);
}

Status CudaDevice::launch_convert(const Nv12Planes& destination, const Nv12Planes& source,
                                  std::uint32_t width, std::uint32_t height, CUstream stream) {
  Nv12Planes from = source;
  Nv12Planes to = destination;
  std::uint32_t aligned = is_aligned(destination) && is_aligned(source) ? 1 : 0;
  void* parameters[] = {&from.y, &from.y_pitch, &from.uv, &from.uv_pitch, &to.y,   &to.y_pitch,
                        &to.uv,  &to.uv_pitch,  &width,   &height,        &aligned};
  return launch(convert_p010_, height, parameters, stream);
}

// For kernels that work on rows, of both planes.
Status CudaDevice::launch(CUfunction kernel, std::uint32_t height, void** parameters,
                          CUstream stream) {
  const unsigned rows = height + height / 2;
  const unsigned blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
  return NV12SLOT_CUDA(driver_, cuLaunchKernel, kernel, blocks, 1, 1, kThreadsPerRow, kRowsPerBlock,
                       1, 0, stream, parameters, nullptr);
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
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  return launch_convert(destination, source, width, height, static_cast<CUstream>(stream));
}

Status CudaDevice::run(const std::function<void()>& work) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  work();
  return {};
}

Status CudaDevice::synchronize(StreamHandle stream) {
  const CurrentContext current(driver_, context_);
  if (!current.status()) return current.status();
  return NV12SLOT_CUDA(driver_, cuStreamSynchronize, static_cast<CUstream>(stream));
}

}  // namespace

int cuda_device_count() {
  const Result<const CudaDriver*> driver = CudaDriver::get();
  int count = 0;
  if (!driver || !NV12SLOT_CUDA(*driver.value(), cuDeviceGetCount, &count)) return 0;
  return count;
}

Result<std::unique_ptr<Device>> open_cuda_device(int ordinal) {
  const Result<const CudaDriver*> driver = CudaDriver::get();
  if (!driver) return driver.error();
  int count = 0;
  if (Status status = NV12SLOT_CUDA(*driver.value(), cuDeviceGetCount, &count); !status) {
    return status.error();
  }
  if (ordinal < 0 || ordinal >= count) {
    return Error{Errc::kNoDevice,
                 fmt::format("there is no CUDA device {}: this machine has {}, counted from 0",
                             ordinal, count)};
  }
  auto device = std::make_unique<CudaDevice>(*driver.value(), ordinal);
  if (Status status = device->open(); !status) return status.error();
  return std::unique_ptr<Device>(std::move(device));
}

}  // namespace nv12slot
