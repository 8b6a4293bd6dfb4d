// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda_device_impl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cuda_context.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/log.h"

namespace nv12slot {

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
    note(kernels_.unload());
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

int cuda_device_count() {
  const Result<const CudaDriver*> driver = CudaDriver::get();
  if (!driver) return 0;
  int count = 0;
  const Status status = NV12SLOT_CUDA(*driver.value(), cuDeviceGetCount, &count);
  if (status) return count;
  if (status.code() != Errc::kExiting) {
    log(LogLevel::kWarning, "DEVICE none can be used: " + status.error().message);
  }
  return 0;
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
