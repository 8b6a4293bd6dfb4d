// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two ways to copy a picture into a slot on a GPU, idle and with inference beside it: the one
// kernel that the library uses, and two cuMemcpy2DAsync. Both are waited for, and take turns in one
// loop.
#include <chrono>
#include <memory>
#include <optional>

#include "../gpu/gpu_load.h"
#include "../gpu/have_gpu.h"
#include "bars.h"
#include "cuda_context.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/slot_pool.h"

namespace nv12slot {
namespace {

using std::chrono::steady_clock;

enum Load : int { kIdle, kSome, kFull };

double microseconds(steady_clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

SlotPool& pool() {
  static SlotPool& pool = *new SlotPool(nv12slot::steady_clock(),
                                        [](Domain domain) { return open_cuda_device(domain); }, {});
  return pool;
}

/// What the library would do without a kernel of its own, without its overhead.
Status copy_in_two(const CudaDriver& driver, const Device& device, const Nv12Planes& to,
                   const Nv12Planes& from, std::uint32_t width, std::uint32_t height,
                   StreamHandle stream) {
  const CurrentContext current(driver, static_cast<CUcontext>(device.context()));
  CUDA_MEMCPY2D plane = {};
  plane.srcMemoryType = plane.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  plane.srcDevice = from.y;
  plane.srcPitch = from.y_pitch;
  plane.dstDevice = to.y;
  plane.dstPitch = to.y_pitch;
  plane.WidthInBytes = width;
  plane.Height = height;
  const auto in_stream = static_cast<CUstream>(stream);
  if (Status status = NV12SLOT_CUDA(driver, cuMemcpy2DAsync, &plane, in_stream); !status) {
    return status;
  }
  plane.srcDevice = from.uv;
  plane.srcPitch = from.uv_pitch;
  plane.dstDevice = to.uv;
  plane.dstPitch = to.uv_pitch;
  plane.Height = height / 2;
  if (Status status = NV12SLOT_CUDA(driver, cuMemcpy2DAsync, &plane, in_stream); !status) {
    return status;
  }
  return NV12SLOT_CUDA(driver, cuStreamSynchronize, in_stream);
}

/// range(0): rows; range(1): a Load.
void BM_CopyIntoSlot(benchmark::State& state) {
  if (!gpu::have_gpu()) {
    state.SkipWithError("no GPU here");
    return;
  }
  const auto height = static_cast<std::uint32_t>(state.range(0));
  const std::uint32_t width = height / 9 * 16;
  Device& device = *pool().device(0).value();
  const CudaDriver& driver = *CudaDriver::get().value();
  const AcquireRequest request{.domain = 0, .width = width, .height = height};
  // Several of each, in turn: one pair would stay in the device's cache.
  constexpr std::size_t kPairs = 8;
  std::vector<Lease> from;
  std::vector<Lease> to;
  for (std::size_t i = 0; i < kPairs; ++i) {
    from.push_back(pool().acquire(request).value());
    to.push_back(pool().acquire(request).value());
  }
  std::optional<gpu::GpuLoad> load;
  if (state.range(1) != kIdle) {
    load.emplace(device,
                 state.range(1) == kSome ? gpu::GpuLoad::Kind::kSome : gpu::GpuLoad::Kind::kFull);
  }

  bench::Samples one_kernel;
  bench::Samples two_copies;
  std::size_t pair = 0;
  bool failed = false;
  for (auto _ : state) {
    const Lease& source = from[pair];
    const Lease& slot = to[pair];
    pair = (pair + 1) % kPairs;
    const auto start = steady_clock::now();
    failed |= !device.copy(slot.planes(), 0, source.planes(), 0, width, height, slot.stream());
    failed |= !device.synchronize(slot.stream());
    const auto copied = steady_clock::now();
    failed |=
        !copy_in_two(driver, device, slot.planes(), source.planes(), width, height, slot.stream());
    const auto copied_twice = steady_clock::now();
    one_kernel.add(microseconds(copied - start));
    two_copies.add(microseconds(copied_twice - copied));
    state.SetIterationTime(std::chrono::duration<double>(copied - start).count());
  }
  if (failed) state.SkipWithError("a copy failed");
  for (Lease& lease : from) lease.set_needs_cooldown(false);
  for (Lease& lease : to) lease.set_needs_cooldown(false);
  state.counters["kernel_p50"] = one_kernel.percentile(50);
  state.counters["kernel_p99"] = one_kernel.percentile(99);
  state.counters["two_copies_p50"] = two_copies.percentile(50);
  state.counters["two_copies_p99"] = two_copies.percentile(99);
}
BENCHMARK(BM_CopyIntoSlot)
    ->ArgsProduct({{1080, 2160}, {kIdle, kSome, kFull}})
    ->ArgNames({"rows", "load"})
    ->UseManualTime()
    ->Iterations(4000);

/// What a camera's thread waits for when its slot is retired and another made, beside inference;
/// and what cuMemFree would have cost it.
void BM_RetireUnderLoad(benchmark::State& state) {
  if (!gpu::have_gpu()) {
    state.SkipWithError("no GPU here");
    return;
  }
  Device& device = *pool().device(0).value();
  const CudaDriver& driver = *CudaDriver::get().value();
  const StreamHandle stream = device.take_stream().value();
  const gpu::GpuLoad load(device, gpu::GpuLoad::Kind::kSome);
  bench::Samples ours;
  bench::Samples plain;
  constexpr std::size_t kBytes = 1920 * 1080 * 3 / 2;
  for (auto _ : state) {
    const auto start = steady_clock::now();
    const Result<std::uintptr_t> memory = device.allocate(kBytes, stream);
    const bool freed = memory.ok() && device.free(*memory, stream).ok();
    const auto middle = steady_clock::now();
    const CurrentContext current(driver, static_cast<CUcontext>(device.context()));
    CUdeviceptr other = 0;
    Status status = NV12SLOT_CUDA(driver, cuMemAlloc, &other, kBytes);
    if (status) status = NV12SLOT_CUDA(driver, cuMemFree, other);
    const auto end = steady_clock::now();
    if (!freed || !status) state.SkipWithError("the driver failed");
    ours.add(microseconds(middle - start));
    plain.add(microseconds(end - middle));
    state.SetIterationTime(std::chrono::duration<double>(middle - start).count());
  }
  device.give_stream(stream);
  state.counters["pool_p50"] = ours.percentile(50);
  state.counters["pool_p99"] = ours.percentile(99);
  state.counters["cuMemFree_p50"] = plain.percentile(50);
  state.counters["cuMemFree_p99"] = plain.percentile(99);
}
BENCHMARK(BM_RetireUnderLoad)->UseManualTime()->Iterations(200);

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  using nv12slot::bench::Bar;
  using nv12slot::bench::figure;
  using nv12slot::bench::ratio;
  std::vector<Bar> bars;
  for (const char* rows : {"1080", "2160"}) {
    for (const auto& [load, name] :
         {std::pair{"0", "idle"}, {"1", "5 ms kernels"}, {"2", "5 ms kernels that fill the GPU"}}) {
      const std::string run = std::string("BM_CopyIntoSlot/rows:") + rows + "/load:" + load +
                              "/iterations:4000/manual_time";
      const std::string what = std::string(rows) + "p into a slot, " + name;
      const bool is_2160 = std::string(rows) == "2160";
      const bool is_idle = std::string(load) == "0";
      Bar median{.what = what + ", median", .unit = "us", .value = figure(run, "kernel_p50")};
      if (is_2160 && is_idle) median.at_most = 20;
      Bar p99{.what = what + ", p99 over two copies' p99",
              .unit = "x",
              .value = ratio(run, "kernel_p99", run, "two_copies_p99")};
      if (is_2160 && !is_idle) p99.at_most = 1.0;
      bars.push_back(median);
      bars.push_back({.what = what + ", two copies, median",
                      .unit = "us",
                      .value = figure(run, "two_copies_p50")});
      bars.push_back({.what = what + ", p99", .unit = "us", .value = figure(run, "kernel_p99")});
      bars.push_back(p99);
    }
  }
  const std::string retire = "BM_RetireUnderLoad/iterations:200/manual_time";
  bars.push_back({.what = "allocate + free a 1080p slot under load, p99",
                  .unit = "us",
                  .value = figure(retire, "pool_p99")});
  bars.push_back({.what = "cuMemAlloc + cuMemFree of the same, p50",
                  .unit = "us",
                  .value = figure(retire, "cuMemFree_p50")});
  return nv12slot::bench::run(argc, argv, bars);
}
