// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whole cameras: what nv12slotcopy costs a decoder in frames per second and in memory, and what it
// takes to destroy and re-create a camera. Plays the H.264 byte stream that NV12SLOT_STREAM names,
// over and over, or a small one that is encoded here. Decodes on the GPU, on the stand-in driver,
// or in software, whichever there is.
//
// Calls of the driver are counted where the program runs with libdriver_calls.so preloaded. Memory
// of the device is counted by NVML, for the whole device: nothing else may run there, and each
// BM_DeviceMemory needs a process of its own, as contexts stay.
#include <dlfcn.h>
#include <gst/nv12slot/nv12slot.h>
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../gpu/have_gpu.h"
#include "bars.h"
#include "held_frames.h"
#include "machine.h"
#include "nv12slot/process.h"
#include "stream.h"

namespace nv12slot {
namespace {

using bench::device_memory;
using bench::has_element;
using bench::HeldFrames;
using bench::stream_file;
using bench::to_ms;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr double kMegabyte = 1e6;

/// NV12SLOT_DECODER, or nvh264dec; on the stand-in, which has no parser of NVIDIA's, the decoder
/// that brings its own. In software where there is no device.
std::string decoder() {
  if (const char* given = std::getenv("NV12SLOT_DECODER")) return given;
  if (cuda_device_count() == 0) return "avdec_h264";
  if (!gpu::have_gpu() && has_element("nvh264sldec")) return "nvh264sldec";
  return "nvh264dec";
}
bool is_on_gpu() {
  return decoder().starts_with("nv");
}

enum class Mode {
  kAlone,         ///< the decoder with a context of its own, as GStreamer does by itself
  kAloneShared,   ///< the decoders in the one context that nv12slot has
  kSlots,         ///< and nv12slotcopy
  kSlotsPromise,  ///< with a consumer that waits and fences by itself
};

/// One camera, playing as fast as it goes; holds its last frames as an inference engine would.
class Camera {
 public:
  Camera(Mode mode, std::size_t hold) : held_(hold) {
    std::string launch = "multifilesrc location=\"" + stream_file() +
                         "\" loop=true caps=video/x-h264,stream-format=byte-stream ! h264parse ! " +
                         decoder() + " ! ";
    if (!is_on_gpu())
      launch += "videoconvert chroma-resampler=nearest ! video/x-raw,format=NV12 ! ";
    if (mode == Mode::kSlots || mode == Mode::kSlotsPromise) {
      launch += "nv12slotcopy on-exhausted=block timeout=10000000000 device=" +
                std::string(is_on_gpu() ? "0" : "-1") + " ! ";
    }
    pipeline_ = gst_parse_launch((launch + "fakesink name=sink sync=false").c_str(), nullptr);
    gst_object_ref_sink(pipeline_);
    if (mode == Mode::kAloneShared) bench::share_cuda_context(pipeline_);
    GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline_), "sink");
    GstPad* pad = gst_element_get_static_pad(sink, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, &Camera::on_buffer, this, nullptr);
    if (mode == Mode::kSlotsPromise) gst_nv12_slot_declare_reader(pad);
    gst_object_unref(pad);
    gst_object_unref(sink);
    gst_element_set_state(pipeline_, GST_STATE_PLAYING);
  }
  ~Camera() {
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    gst_object_unref(pipeline_);
  }
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;

  /// False after 60 s.
  bool wait_for(std::uint64_t frames) const {
    const auto deadline = steady_clock::now() + std::chrono::seconds(60);
    while (frames_ < frames) {
      if (steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }

  /// What is held goes to the caller.
  HeldFrames::Frames take_held() { return held_.take(); }

 private:
  static GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer self) {
    auto* camera = static_cast<Camera*>(self);
    camera->held_.add(GST_PAD_PROBE_INFO_BUFFER(info));
    ++camera->frames_;
    return GST_PAD_PROBE_OK;
  }

  HeldFrames held_;
  GstElement* pipeline_ = nullptr;
  std::atomic<std::uint64_t> frames_{0};
};

std::vector<std::unique_ptr<Camera>> make_cameras(std::size_t count, Mode mode, std::size_t hold) {
  std::vector<std::unique_ptr<Camera>> cameras;
  for (std::size_t i = 0; i < count; ++i) cameras.push_back(std::make_unique<Camera>(mode, hold));
  return cameras;
}

/// Without what malloc() keeps for later.
double resident_memory() {
  malloc_trim(0);
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

bool can_run(benchmark::State& state, bool needs_gpu) {
  const char* why = stream_file().empty()             ? "NV12SLOT_STREAM is not set, and no x264enc"
                    : needs_gpu && !gpu::have_gpu()   ? "no GPU here"
                    : !has_element(decoder().c_str()) ? "no decoder"
                                                      : nullptr;
  if (why != nullptr) state.SkipWithError(why);
  return why == nullptr;
}

double frames_per_second(std::size_t count, Mode mode) {
  const auto cameras = make_cameras(count, mode, 0);
  for (const auto& camera : cameras) {
    if (!camera->wait_for(30)) return 0;
  }
  std::this_thread::sleep_for(std::chrono::seconds(1));
  const auto total = [&] {
    std::uint64_t frames = 0;
    for (const auto& camera : cameras) frames += camera->frames();
    return static_cast<double>(frames);
  };
  const auto start = steady_clock::now();
  const double before = total();
  std::this_thread::sleep_for(std::chrono::seconds(4));
  return (total() - before) / std::chrono::duration<double>(steady_clock::now() - start).count();
}

/// Modes take turns; a cap that no unfenced frame reaches at thousands of frames a second.
void BM_Throughput(benchmark::State& state) {
  if (!can_run(state, true)) return;
  const auto count = static_cast<std::size_t>(state.range(0));
  static_cast<void>(Process::get().pool->set_cap(1024));
  double alone = 0;
  double shared = 0;
  double slots = 0;
  double promise = 0;
  double rounds = 0;
  for (auto _ : state) {
    alone += frames_per_second(count, Mode::kAlone);
    slots += frames_per_second(count, Mode::kSlots);
    shared += frames_per_second(count, Mode::kAloneShared);
    promise += frames_per_second(count, Mode::kSlotsPromise);
    ++rounds;
  }
  state.counters["alone"] = alone / rounds;
  state.counters["alone_shared"] = shared / rounds;
  state.counters["slots"] = slots / rounds;
  state.counters["slots_promise"] = promise / rounds;
  state.counters["ratio"] = slots / std::max(alone, shared);
  state.counters["ratio_promise"] = promise / std::max(alone, shared);
}
BENCHMARK(BM_Throughput)->Arg(16)->Unit(benchmark::kSecond)->Iterations(2)->UseRealTime();

/// range(0): a Mode; range(1): the pool's cap, the default or one for consumers that hold more.
/// Half of it is held, the rest is there for frames that cool and that are under way. All slots are
/// made, as the cameras play as fast as they go.
void BM_DeviceMemory(benchmark::State& state) {
  if (!can_run(state, true)) return;
  constexpr std::size_t kCameras = 16;
  const auto cap = static_cast<unsigned>(state.range(1));
  static_cast<void>(Process::get().pool->set_cap(cap));
  for (auto _ : state) {
    const auto cameras =
        make_cameras(kCameras, static_cast<Mode>(state.range(0)), cap / 2 / kCameras);
    bool all = true;
    for (const auto& camera : cameras) all = camera->wait_for(100) && all;
    if (!all) state.SkipWithError("a camera gave no frames");
    state.counters["MB"] = bench::device_memory_since() / kMegabyte;
  }
}
BENCHMARK(BM_DeviceMemory)
    ->Args({static_cast<int>(Mode::kAlone), 64})
    ->Args({static_cast<int>(Mode::kSlots), 64})
    ->Args({static_cast<int>(Mode::kSlots), 128})
    ->Unit(benchmark::kSecond)
    ->Iterations(1)
    ->UseRealTime();

/// The calls that a warm re-creation must not make.
constexpr const char* kCounted[] = {
    "cuMemAlloc_v2",           "cuMemAllocPitch_v2", "cuMemAllocAsync",
    "cuMemAllocFromPoolAsync", "cuMemFree_v2",       "cuMemFreeAsync",
    "cuCtxSynchronize",        "cuStreamCreate",     "cuStreamCreateWithPriority"};

/// What the preloaded library counts, of one caller; negative if it is not there.
double driver_calls(const char* caller) {
  using Function = std::uint64_t (*)(const char*, const char*);
  static const auto count = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "driver_calls"));
  if (count == nullptr) return -1;
  double sum = 0;
  for (const char* name : kCounted) sum += static_cast<double>(count(name, caller));
  return sum;
}

/// Takes as many slots as the cap allows, so that there are no more to be made. Which number of
/// cameras needs how many at its worst moment is chance.
void make_all_slots(Domain domain, const HeldFrames::Frames& held) {
  if (held.empty()) return;
  GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(held.front());
  if (meta == nullptr) return;
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(meta->frame, &planes);
  std::vector<Lease> leases;
  for (;;) {
    Result<Lease> lease = Process::get().pool->acquire(
        {.domain = domain, .width = planes.width, .height = planes.height});
    if (!lease) return;
    leases.push_back(std::move(lease).value());
    leases.back().set_needs_cooldown(false);
  }
}

/// NV12SLOT_RECREATIONS re-creations (1,000), by four threads with a camera each; every camera's
/// last frames are held until after the next one has come. range(0): a Mode.
void BM_Recreate(benchmark::State& state) {
  const auto mode = static_cast<Mode>(state.range(0));
  const bool has_slots = mode == Mode::kSlots;
  if (!can_run(state, false)) return;
  if (!has_slots && !is_on_gpu()) {
    state.SkipWithError("only with a decoder of a device");
    return;
  }
  const char* asked = std::getenv("NV12SLOT_RECREATIONS");
  const int count = asked != nullptr ? std::atoi(asked) : 1000;
  constexpr int kThreads = 4;
  static_cast<void>(Process::get().pool->set_cap(64));
  const Domain domain = is_on_gpu() ? 0 : kHostDomain;
  std::mutex mutex;
  bench::Samples first_frame;
  bench::Samples gone;
  std::atomic<bool> failed{false};

  const auto recreate = [&](int times) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        HeldFrames::Frames held;
        for (int i = 0; i < times / kThreads; ++i) {
          const auto start = steady_clock::now();
          auto camera = std::make_unique<Camera>(mode, 4);
          if (!camera->wait_for(1)) failed = true;
          const auto came = steady_clock::now();
          if (!camera->wait_for(8)) failed = true;
          HeldFrames::give_up(held);
          held = camera->take_held();
          const auto stop = steady_clock::now();
          camera.reset();
          const auto end = steady_clock::now();
          const std::lock_guard<std::mutex> lock(mutex);
          first_frame.add(to_ms(came - start));
          gone.add(to_ms(end - stop));
        }
        if (has_slots && t == 0) make_all_slots(domain, held);
        HeldFrames::give_up(held);
      });
    }
    for (std::thread& thread : threads) thread.join();
  };

  for (auto _ : state) {
    // Warm: threads, caches and heaps of GStreamer and of the driver grow for a while.
    recreate(std::max(count / 5, 4 * kThreads));
    first_frame = {};
    gone = {};
    const double slots = driver_calls("slots");
    const double gst_cuda = driver_calls("gst-cuda");
    const double other = driver_calls("other");
    const double resident = resident_memory();
    const double on_device = device_memory();
    const std::uint64_t allocated = Process::get().pool->stats(domain).allocated;
    recreate(count);
    const double recreations = count / kThreads * kThreads;
    if (slots >= 0) {
      state.counters["calls_slots"] = (driver_calls("slots") - slots) / recreations;
      state.counters["calls_gst_cuda"] = (driver_calls("gst-cuda") - gst_cuda) / recreations;
      state.counters["calls_other"] = (driver_calls("other") - other) / recreations;
    }
    state.counters["slots_made"] =
        static_cast<double>(Process::get().pool->stats(domain).allocated - allocated);
    state.counters["resident_KB"] = (resident_memory() - resident) / 1000;
    if (gpu::have_gpu()) state.counters["device_MB"] = (device_memory() - on_device) / kMegabyte;
    state.counters["first_frame_p50"] = first_frame.percentile(50);
    state.counters["gone_p50"] = gone.percentile(50);
    state.counters["gone_max"] = gone.percentile(100);
  }
  if (failed) state.SkipWithError("a camera gave no frames");
}
BENCHMARK(BM_Recreate)
    ->Arg(static_cast<int>(Mode::kAloneShared))
    ->Arg(static_cast<int>(Mode::kSlots))
    ->Unit(benchmark::kSecond)
    ->Iterations(1)
    ->UseRealTime();

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  using nv12slot::bench::figure;
  nv12slot::bench::remember_device_memory();
  gst_init(&argc, &argv);
  const std::string throughput = "BM_Throughput/16/iterations:2/real_time";
  const std::string recreate = "BM_Recreate/2/iterations:1/real_time";
  const std::string recreate_alone = "BM_Recreate/1/iterations:1/real_time";
  return nv12slot::bench::run(
      argc, argv,
      {{.what = "16 x nvh264dec alone, own contexts",
        .unit = "fps",
        .value = figure(throughput, "alone")},
       {.what = "16 x nvh264dec alone, one shared context",
        .unit = "fps",
        .value = figure(throughput, "alone_shared")},
       {.what = "16 x nvh264dec ! nv12slotcopy",
        .unit = "fps",
        .value = figure(throughput, "slots")},
       {.what = "16 x the same, consumers that fence",
        .unit = "fps",
        .value = figure(throughput, "slots_promise")},
       {.what = "nvh264dec ! nv12slotcopy over the better of nvh264dec alone",
        .unit = "x",
        .value = figure(throughput, "ratio"),
        .at_least = 0.98},
       {.what = "the same, consumers that fence",
        .unit = "x",
        .value = figure(throughput, "ratio_promise"),
        .at_least = 0.98},
       {.what = "device memory, 16 x nvh264dec alone",
        .unit = "MB",
        .value = figure("BM_DeviceMemory/0/64/iterations:1/real_time", "MB")},
       {.what = "device memory, 16 x nvh264dec ! nv12slotcopy",
        .unit = "MB",
        .value = figure("BM_DeviceMemory/2/64/iterations:1/real_time", "MB"),
        .at_most = 1500.0},
       {.what = "the same with 128 slots",
        .unit = "MB",
        .value = figure("BM_DeviceMemory/2/128/iterations:1/real_time", "MB")},
       {.what = "allocations, frees, waits, streams of nv12slot a re-creation",
        .unit = "",
        .value = figure(recreate, "calls_slots"),
        .at_most = 0.0},
       {.what = "the same of gst-cuda and its elements",
        .unit = "",
        .value = figure(recreate, "calls_gst_cuda")},
       {.what = "the same of others (the decoder's library)",
        .unit = "",
        .value = figure(recreate, "calls_other")},
       {.what = "slots made by all re-creations",
        .unit = "",
        .value = figure(recreate, "slots_made"),
        .at_most = 0.0},
       {.what = "resident memory more after all re-creations",
        .unit = "KB",
        .value = figure(recreate, "resident_KB")},
       {.what = "the same without nv12slotcopy",
        .unit = "KB",
        .value = figure(recreate_alone, "resident_KB")},
       {.what = "device memory more after all re-creations",
        .unit = "MB",
        .value = figure(recreate, "device_MB"),
        .at_most = 0.0},
       {.what = "created to first frame, p50",
        .unit = "ms",
        .value = figure(recreate, "first_frame_p50")},
       {.what = "created to first frame without nv12slotcopy, one shared context, p50",
        .unit = "ms",
        .value = figure(recreate_alone, "first_frame_p50")},
       {.what = "set_state(NULL) + unref, p50",
        .unit = "ms",
        .value = figure(recreate, "gone_p50")},
       {.what = "set_state(NULL) + unref without nv12slotcopy, one shared context, p50",
        .unit = "ms",
        .value = figure(recreate_alone, "gone_p50")}});
}
