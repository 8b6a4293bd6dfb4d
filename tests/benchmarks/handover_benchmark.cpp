// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Frames between a camera's thread and its readers on a GPU: how long the thread is kept, how long
// a slot is held for a reader that fences and for one that does not, and how many cameras that
// leaves 64 slots for.
#include <gst/cuda/gstcudautils.h>
#include <gst/nv12slot/nv12slot.h>

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "../gpu/have_gpu.h"
#include "../gpu/reader_kernels.h"
#include "bars.h"
#include "cuda_pictures.h"
#include "nv12slot/process.h"
#include "pushed_bin.h"

namespace nv12slot {
namespace {

using bench::Writing;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kKernel(3);
#if GST_CHECK_VERSION(1, 24, 0)
constexpr bool kHasPending = true;
#else
constexpr bool kHasPending = false;  // its memory has no stream
#endif

double microseconds(steady_clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

/// nv12slotcopy between pictures of `height` rows in GStreamer's CUDA memory and a reader.
class Camera {
 public:
  Camera(int height, Writing writing, bool reader_fences, std::function<void(GstBuffer*)> read) {
    auto* const cuda = GST_CUDA_CONTEXT(gst_nv12_slot_cuda_context(0));
    if (cuda == nullptr) return;
    const std::string caps =
        "video/x-raw(memory:CUDAMemory),format=NV12,width=" + std::to_string(height / 9 * 16) +
        ",height=" + std::to_string(height) + ",framerate=30/1";
    GstContext* const context = gst_context_new_cuda_context(cuda);
    bin_ = std::make_unique<bench::PushedBin>(
        "nv12slotcopy", caps,
        [read = std::move(read)](GstBuffer* buffer, const GstCaps*) { read(buffer); }, context);
    gst_context_unref(context);
    if (!bin_->is_valid()) return;
    if (reader_fences) gst_nv12_slot_declare_reader(bin_->sink());
    pictures_ = std::make_unique<bench::CudaPictures>(cuda, caps, 16, writing);
  }

  [[nodiscard]] bool is_valid() const { return pictures_ != nullptr && !pictures_->get().empty(); }
  [[nodiscard]] bool push() {
    return bin_->push(pictures_->get()[next_++ % pictures_->get().size()]);
  }

 private:
  std::unique_ptr<bench::CudaPictures> pictures_;
  std::unique_ptr<bench::PushedBin> bin_;
  std::size_t next_ = 0;
};

/// True, and the benchmark skipped, where there is no GPU.
bool skipped(benchmark::State& state) {
  if (gpu::have_gpu()) return false;
  state.SkipWithError("no GPU here");
  return true;
}

/// A camera's thread in nv12slotcopy, without what the reader does on it. range(0): rows; range(1):
/// whether the reader waits by itself; range(2): milliseconds the thread sleeps between two
/// pictures, and finds its caches cold; 0: it waits for the device only; range(3): whether the
/// pictures' writer is still to be waited for.
void BM_CameraThread(benchmark::State& state) {
  if (skipped(state)) return;
  const bool reader_fences = state.range(1) != 0;
  // Or all slots would cool, and pictures be dropped.
  SlotPool& pool = *Process::get().pool;
  Device& device = *pool.device(0).value();
  const StreamHandle stream = device.take_stream().value();
  const Duration cooldown = pool.settings().cooldown;
  bool failed = !pool.set_cooldown({});
  bool is_read = false;
  steady_clock::duration in_reader{0};
  const Writing writing = state.range(3) != 0 ? Writing::kPending : Writing::kComplete;
  Camera camera(static_cast<int>(state.range(0)), writing, reader_fences, [&](GstBuffer* buffer) {
    const auto came = steady_clock::now();
    is_read = true;
    if (reader_fences) {
      GstNv12SlotFrame* const frame = gst_buffer_get_nv12_slot_meta(buffer)->frame;
      gst_nv12_slot_frame_wait(frame, stream);
      gst_nv12_slot_frame_fence(frame, 0, stream);
    }
    in_reader = steady_clock::now() - came;
  });
  bench::Samples times;
  failed |= !camera.is_valid();
  for (auto _ : state) {
    if (failed) break;
    is_read = false;
    const auto start = steady_clock::now();
    failed = !camera.push() || !is_read;
    const auto took = steady_clock::now() - start - in_reader;
    times.add(microseconds(took));
    state.SetIterationTime(std::chrono::duration<double>(took).count());
    // A camera sends 30 a second: the device is idle when the next one comes.
    static_cast<void>(device.synchronize(stream));
    std::this_thread::sleep_for(std::chrono::milliseconds(state.range(2)));
  }
  failed |= !pool.set_cooldown(cooldown);
  if (failed) state.SkipWithError("a picture did not come to its reader");
  device.give_stream(stream);
  state.counters["p50"] = times.percentile(50);
  state.counters["p99"] = times.percentile(99);
}
BENCHMARK(BM_CameraThread)
    ->ArgsProduct({{1080, 2160}, {0, 1}, {0, 5}, {0}})
    ->Apply([](benchmark::internal::Benchmark* runs) {
      if (kHasPending) runs->ArgsProduct({{2160}, {0, 1}, {0}, {1}});
    })
    ->ArgNames({"rows", "fences", "sleeps", "pending"})
    ->UseManualTime()
    ->Iterations(1000)
    ->Unit(benchmark::kMicrosecond);

/// From when a frame reaches its reader, which has a kernel of 3 ms for it, until its slot is free.
/// range(0): whether the reader fences.
void BM_Held(benchmark::State& state) {
  if (skipped(state)) return;
  const bool reader_fences = state.range(0) != 0;
  SlotPool& pool = *Process::get().pool;
  Device& device = *pool.device(0).value();
  const StreamHandle stream = device.take_stream().value();
  bench::Samples times;
  bool failed = false;
  {
    gpu::ReaderKernels kernels(device);
    steady_clock::time_point came;
    Camera camera(1080, Writing::kComplete, reader_fences, [&](GstBuffer* buffer) {
      came = steady_clock::now();
      GstNv12SlotFrame* const frame = gst_buffer_get_nv12_slot_meta(buffer)->frame;
      gst_nv12_slot_frame_wait(frame, stream);
      kernels.spin(stream, 1, 1, kKernel);
      if (reader_fences) gst_nv12_slot_frame_fence(frame, 0, stream);
    });
    failed = !camera.is_valid();
    for (auto _ : state) {
      if (failed) break;
      failed = !camera.push();
      for (PoolStats now = pool.stats(0); now.active + now.cooling > 0; now = pool.stats(0)) {
      }
      const auto held = steady_clock::now() - came;
      times.add(microseconds(held));
      state.SetIterationTime(std::chrono::duration<double>(held).count());
    }
  }
  if (failed) state.SkipWithError("the element took no picture");
  device.give_stream(stream);
  state.counters["p50"] = times.percentile(50);
  state.counters["p99"] = times.percentile(99);
  state.counters["beyond_kernel"] = times.percentile(50) - microseconds(kKernel);
}
BENCHMARK(BM_Held)->Arg(0)->Arg(1)->ArgName("fences")->UseManualTime()->Iterations(200)->Unit(
    benchmark::kMicrosecond);

/// Whether 64 slots are enough for that many cameras of 30 frames a second, for two seconds.
bool is_enough(Device& device, gpu::ReaderKernels& kernels, unsigned cameras, bool fences) {
  SlotPool pool(nv12slot::steady_clock(), [](Domain domain) { return open_cuda_device(domain); },
                {.cap = 64});
  const AcquireRequest request{.domain = device.domain(), .width = 640, .height = 360};
  {
    std::vector<Lease> all;  // made before the clock runs
    for (Result<Lease> slot = pool.acquire(request); slot; slot = pool.acquire(request)) {
      slot->set_needs_cooldown(false);
      all.push_back(std::move(slot).value());
    }
  }
  const auto apart = std::chrono::nanoseconds(std::chrono::seconds(1)) / (30 * cameras);
  const auto begin = steady_clock::now();
  auto due = begin;
  while (due < begin + std::chrono::seconds(2)) {
    std::this_thread::sleep_until(due);
    due += apart;
    Result<Lease> slot = pool.acquire(request);
    if (!slot) return false;
    kernels.spin(slot->stream(), 1, 1, kKernel);
    if (!fences) continue;
    Result<Fence> read = Fence::record(slot->device(), slot->stream());
    if (!read) return false;
    slot->add_fence(std::move(read).value());
    slot->set_needs_cooldown(false);
  }
  return true;
}

/// The most cameras that 64 slots were enough for. range(0): whether readers fence.
void BM_Cameras(benchmark::State& state) {
  if (skipped(state)) return;
  Device& device = *Process::get().pool->device(0).value();
  gpu::ReaderKernels kernels(device);
  unsigned most = 0;
  for (auto _ : state) {
    for (unsigned cameras : {24, 32, 36, 40, 44, 48, 64, 80, 96, 128, 192, 256, 384}) {
      if (!is_enough(device, kernels, cameras, state.range(0) != 0)) break;
      most = cameras;
    }
    state.SetIterationTime(1);
  }
  state.counters["cameras"] = most;
}
BENCHMARK(BM_Cameras)->Arg(0)->Arg(1)->ArgName("fences")->UseManualTime()->Iterations(1);

std::vector<bench::Bar> bars() {
  using bench::figure;
  std::vector<bench::Bar> bars;
  const auto add_thread = [&](int rows, bool fences, bool sleeps, bool pending) {
    const std::string run = fmt::format(
        "BM_CameraThread/rows:{}/fences:{}/sleeps:{}/pending:{}/iterations:1000/manual_time", rows,
        fences ? 1 : 0, sleeps ? 5 : 0, pending ? 1 : 0);
    std::string what =
        fmt::format("{} rows, {}", rows, fences ? "event handed over" : "copy waited for");
    if (sleeps) what += ", thread slept";
    if (pending) what += ", after its writer's stream";
    bench::Bar bar{.what = what + ", median", .unit = "us", .value = figure(run, "p50")};
    if (rows == 2160 && !sleeps) bar.at_most = fences ? 12 : 20;
    bars.push_back(bar);
    bars.push_back({.what = what + ", p99", .unit = "us", .value = figure(run, "p99")});
  };
  for (const bool fences : {true, false}) {
    for (const int rows : {1080, 2160}) {
      for (const bool sleeps : {false, true}) add_thread(rows, fences, sleeps, false);
    }
    if (kHasPending) add_thread(2160, fences, false, true);
  }
  for (const bool fences : {true, false}) {
    const std::string run =
        std::string("BM_Held/fences:") + (fences ? "1" : "0") + "/iterations:200/manual_time";
    const std::string reader = fences ? "fenced" : "cooled";
    bars.push_back({.what = "slot held beyond a kernel of 3 ms, " + reader + ", median",
                    .unit = "us",
                    .value = figure(run, "beyond_kernel"),
                    .at_most = fences ? 200 : 50'200});
    bars.push_back({.what = "slot held, kernel included, " + reader + ", p99",
                    .unit = "us",
                    .value = figure(run, "p99")});
  }
  const std::string cameras = "BM_Cameras/fences:";
  const std::string once = "/iterations:1/manual_time";
  for (const char* fences : {"1", "0"}) {
    bars.push_back({.what = std::string("cameras that 64 slots are enough for, ") +
                            (fences[0] == '1' ? "fenced" : "cooled"),
                    .unit = "",
                    .value = figure(cameras + fences + once, "cameras")});
  }
  bars.push_back(
      {.what = "fenced over cooled",
       .unit = "x",
       .value = bench::ratio(cameras + "1" + once, "cameras", cameras + "0" + once, "cameras"),
       .at_least = 2});
  return bars;
}

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return nv12slot::bench::run(argc, argv, nv12slot::bars());
}
