// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gpu_load.h"

#include <cstdlib>
#include <utility>

#include "cuda_context.h"

namespace nv12slot::gpu {
namespace {

constexpr auto kShortBlock = std::chrono::microseconds(50);
constexpr unsigned kThreads = 256;
constexpr unsigned kBlocksAtOnce = 8;  // of kThreads threads, on a multiprocessor of 2048
constexpr std::uint32_t kRowBytes = 1 << 20;
constexpr std::uint32_t kRows = 4;
constexpr std::size_t kPictureBytes = std::size_t{kRowBytes} * kRows * 3 / 2;

}  // namespace

GpuLoad::GpuLoad(Device& device, Kind kind, std::chrono::milliseconds kernel)
    : device_(device), kind_(kind), kernel_(kernel), kernels_(device) {
  for (int i = 0; i < 4; ++i) threads_.emplace_back([this] { run(); });
  std::this_thread::sleep_for(4 * kernel_);  // until the device is busy
}

GpuLoad::~GpuLoad() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

std::vector<std::chrono::nanoseconds> GpuLoad::take_steps() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(steps_, {});
}

void GpuLoad::run() {
  const CudaDriver& driver = *CudaDriver::get().value();
  // Not the library's streams: those have the highest priority, which inference has not.
  CUstream stream = nullptr;
  Result<std::uintptr_t> memory = Error{};
  {
    const CurrentContext current(driver, static_cast<CUcontext>(device_.context()));
    if (!NV12SLOT_CUDA(driver, cuStreamCreateWithPriority, &stream, CU_STREAM_NON_BLOCKING, 0)) {
      std::abort();
    }
    memory = device_.allocate(2 * kPictureBytes, stream);
    if (!memory) std::abort();
  }
  const auto picture_at = [](std::uintptr_t address) {
    return Nv12Planes{address, address + std::size_t{kRowBytes} * kRows, kRowBytes, kRowBytes};
  };
  const Nv12Planes from = picture_at(*memory);
  const Nv12Planes to = picture_at(*memory + kPictureBytes);
  while (!stopping_) {
    const auto start = std::chrono::steady_clock::now();
    if (kind_ == Kind::kSome) {
      kernels_.spin(stream, 16, kThreads, kernel_);
    } else {
      const auto waves = static_cast<unsigned>(kernel_ / kShortBlock);
      kernels_.spin(stream, kernels_.multiprocessors() * kBlocksAtOnce * waves, kThreads,
                    kShortBlock);
    }
    if (!device_.copy(to, device_.domain(), from, device_.domain(), kRowBytes, kRows, stream)) {
      std::abort();
    }
    if (!device_.synchronize(stream)) std::abort();
    const auto step = std::chrono::steady_clock::now() - start;
    const std::lock_guard<std::mutex> lock(mutex_);
    steps_.push_back(step);
  }
  if (!device_.free(*memory, stream)) std::abort();
  const CurrentContext current(driver, static_cast<CUcontext>(device_.context()));
  if (!NV12SLOT_CUDA(driver, cuStreamDestroy, stream)) std::abort();
}

}  // namespace nv12slot::gpu
