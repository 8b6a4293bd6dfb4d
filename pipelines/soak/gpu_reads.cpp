// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gpu_reads.h"

#include <dlfcn.h>

#include <stdexcept>
#include <vector>

#include "cuda_context.h"
#include "nv12slot/process.h"

// read_kernel.cu, compiled and embedded by the build.
extern "C" const unsigned char nv12slot_soak_read_kernel_fatbin[];

namespace soak {
namespace {

using nv12slot::CudaDriver;
using nv12slot::CurrentContext;
using nv12slot::Device;
using nv12slot::EventHandle;
using nv12slot::Status;

constexpr unsigned kMostReads = 2048;
constexpr unsigned kThreadsWide = 32, kThreadsHigh = 32;

/// As in read_kernel.cu.
struct Result {
  std::uint64_t sum;
  std::uint32_t changed;
};

void check(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

template <typename T>
T checked(nv12slot::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(result).value();
}

/// What the library itself has no use for.
template <typename Function>
Function* driver_symbol(const char* name) {
  void* symbol = dlsym(dlopen("libcuda.so.1", RTLD_NOW), name);
  if (symbol == nullptr) throw std::runtime_error(std::string("the driver has no ") + name);
  return reinterpret_cast<Function*>(symbol);
}

Device& device_of(int number) {
  return *checked(nv12slot::Process::get().pool->device(number));
}

}  // namespace

struct GpuReads::State {
  explicit State(int number) : device(device_of(number)), driver(*checked(CudaDriver::get())) {}

  Device& device;
  const CudaDriver& driver;
  CUmodule module = nullptr;
  CUfunction kernel = nullptr;
  std::vector<CUstream> streams;  // by camera
  // All made beforehand, as nothing may be allocated once the cameras are warm.
  Result* results = nullptr;
  std::vector<EventHandle> events;  // by read
  std::vector<unsigned> unused;     // reads
};

GpuReads::GpuReads(int device, unsigned cameras) : state_(std::make_unique<State>(device)) {
  State& state = *state_;
  const CudaDriver& driver = state.driver;
  const CurrentContext current(driver, static_cast<CUcontext>(state.device.context()));
  check(current.status());
  check(NV12SLOT_CUDA(driver, cuModuleLoadData, &state.module, nv12slot_soak_read_kernel_fatbin));
  check(NV12SLOT_CUDA(driver, cuModuleGetFunction, &state.kernel, state.module,
                      "nv12slot_soak_read"));
  // Not the library's streams: those have the highest priority, which inference has not.
  state.streams.resize(cameras);
  for (CUstream& stream : state.streams) {
    check(NV12SLOT_CUDA(driver, cuStreamCreateWithPriority, &stream, CU_STREAM_NON_BLOCKING, 0));
  }
  void* host = nullptr;
  check(driver.check(driver_symbol<CUresult(void**, std::size_t)>("cuMemAllocHost_v2")(
                         &host, kMostReads * sizeof(Result)),
                     "cuMemAllocHost", __FILE__, __LINE__));
  state.results = static_cast<Result*>(host);
  for (unsigned i = 0; i < kMostReads; ++i) {
    state.events.push_back(checked(state.device.take_event()));
    state.unused.push_back(i);
  }
}

GpuReads::~GpuReads() {
  State& state = *state_;
  for (CUstream stream : state.streams) static_cast<void>(state.device.synchronize(stream));
  for (EventHandle event : state.events) state.device.give_event(event);
  // The driver frees the rest with the process; to free page-locked memory waits for the device.
}

std::optional<unsigned> GpuReads::begin(GstNv12SlotFrame* frame, unsigned camera,
                                        std::chrono::milliseconds duration) {
  State& state = *state_;
  if (state.unused.empty()) return std::nullopt;
  const unsigned read = state.unused.back();
  const CUstream stream = state.streams.at(camera);
  if (!gst_nv12_slot_frame_wait(frame, stream)) {
    throw std::runtime_error("a reader cannot wait for its frame: the device has failed");
  }
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(frame, &planes);
  auto nanoseconds = static_cast<std::uint64_t>(std::chrono::nanoseconds(duration).count());
  Result* result = &state.results[read];
  void* parameters[] = {&planes.data[0], &planes.stride[0], &planes.data[1], &planes.stride[1],
                        &planes.width,   &planes.height,    &nanoseconds,    &result};
  {
    const CurrentContext current(state.driver, static_cast<CUcontext>(state.device.context()));
    check(current.status());
    check(NV12SLOT_CUDA(state.driver, cuLaunchKernel, state.kernel, 1, 1, 1, kThreadsWide,
                        kThreadsHigh, 1, 0, stream, parameters, nullptr));
  }
  check(state.device.record(state.events[read], stream));
  state.unused.pop_back();
  return read;
}

void GpuReads::fence(GstNv12SlotFrame* frame, unsigned camera) {
  if (!gst_nv12_slot_frame_fence(frame, -1, state_->streams.at(camera))) {
    throw std::runtime_error("a reader cannot fence its frame: the device has failed");
  }
}

std::optional<ReadOutcome> GpuReads::take(unsigned read) {
  State& state = *state_;
  if (!checked(state.device.is_complete(state.events[read]))) return std::nullopt;
  state.unused.push_back(read);
  return ReadOutcome{state.results[read].sum, state.results[read].changed > 0};
}

std::optional<double> device_memory_mib(int device) {
  const auto driver = CudaDriver::get();
  if (!driver || device < 0) return std::nullopt;
  std::size_t free = 0, total = 0;
  const CurrentContext current(*driver.value(),
                               static_cast<CUcontext>(device_of(device).context()));
  if (!current.status()) return std::nullopt;
  static const auto get_info =
      driver_symbol<CUresult(std::size_t*, std::size_t*)>("cuMemGetInfo_v2");
  if (get_info(&free, &total) != CUDA_SUCCESS) return std::nullopt;
  return static_cast<double>(total - free) / (1 << 20);
}

}  // namespace soak
