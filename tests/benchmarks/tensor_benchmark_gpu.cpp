// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tensors on a device, up to 16 frames in one kernel: against what the bytes alone take at the
// bandwidth that a large copy reaches, or what an empty kernel takes where that is more; and
// against cudaconvertscale with a kernel that normalises behind it. All take turns in one loop.
#include <gst/cuda/gstcudautils.h>
#include <gst/nv12slot/nv12slot.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "../gpu/have_gpu.h"
#include "../gpu/reader_kernels.h"
#include "../gpu/stream_timer.h"
#include "cuda_pictures.h"
#include "cudamemory.h"
#include "nv12slot/process.h"
#include "pushed_bin.h"
#include "raii.h"
#include "tensor_benchmark.h"
#include "tensor_writer.h"

// normalise.cu, compiled and embedded by the build.
extern "C" const unsigned char nv12slot_normalise_fatbin[];

namespace nv12slot {
namespace {

using bench::kPictureHeight;
using bench::kPictureWidth;
using bench::kTensorSide;
using std::chrono::steady_clock;

/// Sets of a picture and a tensor, in turn: one would stay in the device's cache.
constexpr std::size_t kSets = 16;

double microseconds(steady_clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

/// Rows of a plane that bilinear rows of the tensor have a part of: `first` is where the plane's
/// first row lies, in rows of the picture, which are `apart` rows of the plane.
std::size_t rows_read(std::uint32_t inner, double first, double apart, std::uint32_t rows) {
  std::set<std::uint32_t> read;
  for (std::uint32_t i = 0; i < inner; ++i) {
    const double y = ((i + 0.5) * kPictureHeight / inner - 0.5 - first) / apart;
    const double inside = std::clamp(y, 0.0, rows - 1.0);
    read.insert(static_cast<std::uint32_t>(std::floor(inside)));
    read.insert(static_cast<std::uint32_t>(std::ceil(inside)));
  }
  return read.size();
}

/// What one frame has to move: the rows that are needed, whole, and the tensor.
double bytes_of_frame(const TensorSpec& spec) {
  const std::uint32_t inner = place(spec, kPictureWidth, kPictureHeight).height;
  const std::size_t rows =
      rows_read(inner, 0, 1, kPictureHeight) + rows_read(inner, 0.5, 2, kPictureHeight / 2);
  return static_cast<double>(rows * kPictureWidth + spec.frame_bytes());
}

/// Bytes a microsecond that the device reads and writes in a large copy.
double bandwidth(Device& device, StreamHandle stream) {
  constexpr std::size_t kBytes = std::size_t{256} << 20;
  const std::uintptr_t memory = device.allocate(2 * kBytes, stream).value();
  bench::Samples times;
  for (int i = 0; i < 20; ++i) {
    // Four at a time, so that the call's own time does not count.
    const auto start = steady_clock::now();
    for (int k = 0; k < 4; ++k) {
      static_cast<void>(device.copy_bytes(memory + kBytes, 0, memory, 0, kBytes, stream));
    }
    static_cast<void>(device.synchronize(stream));
    times.add(microseconds(steady_clock::now() - start) / 4);
  }
  static_cast<void>(device.free(memory, stream));
  return 2.0 * kBytes / times.percentile(50);
}

/// cudaconvertscale to planes of RGB, and a kernel that makes floats of them.
class Rival {
 public:
  Rival(Device& device, StreamHandle stream) : device_(device), stream_(stream) {
    auto* const cuda = GST_CUDA_CONTEXT(gst_nv12_slot_cuda_context(0));
    const Result<KernelHandle> kernel =
        device.load_kernel(nv12slot_normalise_fatbin, "nv12slot_normalise");
    if (cuda == nullptr || !kernel) return;
    kernel_ = kernel.value();
    GstContext* const context = gst_context_new_cuda_context(cuda);
    bin_ = std::make_unique<bench::PushedBin>(
        "cudaconvertscale ! capsfilter "
        "caps=video/x-raw(memory:CUDAMemory),format=RGBP,width=640,height=640,"
        "pixel-aspect-ratio=1/1",
        kCaps, [this](GstBuffer* buffer, const GstCaps*) { normalise(buffer); }, context);
    gst_context_unref(context);
    if (!bin_->is_valid()) return;
    pictures_ =
        std::make_unique<bench::CudaPictures>(cuda, kCaps, kSets, bench::Writing::kComplete);
  }
  Rival(const Rival&) = delete;
  Rival& operator=(const Rival&) = delete;

  /// False where GStreamer has no cudaconvertscale, which needs NVRTC.
  [[nodiscard]] bool is_valid() const {
    return pictures_ != nullptr && pictures_->get().size() == kSets;
  }
  [[nodiscard]] bool write(std::size_t set, std::uintptr_t tensor) {
    tensor_ = tensor;
    launched_ = false;
    return bin_->push(pictures_->get()[set]) && launched_;
  }

 private:
  static constexpr const char* kCaps =
      "video/x-raw(memory:CUDAMemory),format=NV12,width=1920,height=1080,framerate=30/1,"
      "pixel-aspect-ratio=1/1,colorimetry=bt709";

  void normalise(GstBuffer* buffer) {
    GstMemory* const memory = gst_buffer_peek_memory(buffer, 0);
    GstMapInfo map;
    if (gst_memory_map(memory, &map, static_cast<GstMapFlags>(GST_MAP_READ | gst::kMapCuda)) ==
        FALSE) {
      return;
    }
    const GstVideoInfo& info = gst::cuda_memory_info(memory);
    const std::uint8_t* planes = map.data;
    std::size_t pitch = static_cast<std::size_t>(GST_VIDEO_INFO_PLANE_STRIDE(&info, 0));
    std::size_t plane_bytes = GST_VIDEO_INFO_PLANE_OFFSET(&info, 1);
    std::uint32_t side = kTensorSide;
    void* parameters[] = {&planes, &pitch, &plane_bytes, &tensor_, &side, &side};
    const LaunchGrid grid{.grid = {kTensorSide / 128, kTensorSide / 4, 1}, .block = {32, 4, 1}};
    launched_ = device_.launch(kernel_, grid, parameters, stream_).ok();
    gst_memory_unmap(memory, &map);
    // The buffer goes back to its pool.
    launched_ = launched_ && device_.synchronize(stream_).ok();
  }

  Device& device_;
  const StreamHandle stream_;
  KernelHandle kernel_ = nullptr;
  std::unique_ptr<bench::CudaPictures> pictures_;
  std::unique_ptr<bench::PushedBin> bin_;
  std::uintptr_t tensor_ = 0;
  bool launched_ = false;
};

/// Microseconds: between two events of the device, and from the call until it is known to be done.
struct Times {
  bench::Samples device, wall;
};

/// range(0): frames of a batch, in one kernel.
void BM_Device(benchmark::State& state) {
  if (!gpu::have_gpu()) {
    state.SkipWithError("no GPU here");
    return;
  }
  SlotPool& pool = *Process::get().pool;
  Device& device = *pool.device(0).value();
  const TensorSpec spec{.width = kTensorSide, .height = kTensorSide};
  const Result<TensorWriter> writer = TensorWriter::open(device, spec);
  if (!writer) {
    state.SkipWithError(writer.error().message.c_str());
    return;
  }
  std::vector<Lease> pictures;
  std::vector<Lease> tensors;
  for (std::size_t i = 0; i < kSets; ++i) {
    pictures.push_back(
        pool.acquire({.domain = 0, .width = kPictureWidth, .height = kPictureHeight}).value());
    tensors.push_back(pool.acquire({.domain = 0, .bytes = spec.frame_bytes()}).value());
  }
  const StreamHandle stream = device.take_stream().value();
  const auto frames = static_cast<std::size_t>(state.range(0));
  const double bytes_a_microsecond = bandwidth(device, stream);
  const double of_bytes = static_cast<double>(frames) * bytes_of_frame(spec) / bytes_a_microsecond;

  Times ours;
  Times empty;
  bench::Samples theirs;
  {
    gpu::StreamTimer timer(device, stream);
    gpu::ReaderKernels kernels(device);
    Rival rival(device, stream);
    std::size_t set = 0;
    bool by_events = false;
    bool failed = false;
    for (auto _ : state) {
      const std::size_t first = set;
      set = (set + frames) % kSets;
      std::vector<TensorPicture> batch;
      for (std::size_t i = first; i < first + frames; ++i) {
        batch.push_back({.planes = pictures[i % kSets].planes(),
                         .width = kPictureWidth,
                         .height = kPictureHeight,
                         .colour = {.matrix = ColourMatrix::kBt709},
                         .tensor = tensors[i % kSets].planes().y});
      }
      // Alternately: an event around a kernel makes the call longer.
      by_events = !by_events;
      const auto run = [&](Times& times, const auto& launch) {
        const auto start = steady_clock::now();
        if (by_events) timer.start();
        launch();
        if (by_events) {
          times.device.add(timer.stop());
        } else {
          failed |= !device.synchronize(stream);
          times.wall.add(microseconds(steady_clock::now() - start));
        }
        return steady_clock::now() - start;
      };
      const auto took = run(ours, [&] { failed |= !writer->write(batch, stream); });
      run(empty, [&] { kernels.spin(stream, 1, 1, {}); });
      if (rival.is_valid()) {
        const auto before = steady_clock::now();
        for (const TensorPicture& picture : batch) {
          failed |= !rival.write(static_cast<std::size_t>(&picture - batch.data()), picture.tensor);
        }
        theirs.add(microseconds(steady_clock::now() - before));
      }
      state.SetIterationTime(std::chrono::duration<double>(took).count());
    }
    if (failed) state.SkipWithError("the driver, or cudaconvertscale, failed");
  }
  device.give_stream(stream);
  for (Lease& lease : pictures) lease.set_needs_cooldown(false);
  for (Lease& lease : tensors) lease.set_needs_cooldown(false);
  state.counters["device_p50"] = ours.device.percentile(50);
  state.counters["device_p99"] = ours.device.percentile(99);
  state.counters["wall_p50"] = ours.wall.percentile(50);
  state.counters["empty_p50"] = empty.device.percentile(50);
  state.counters["empty_wall_p50"] = empty.wall.percentile(50);
  state.counters["bytes_us"] = of_bytes;
  state.counters["limit_us"] = std::max(of_bytes, empty.device.percentile(50));
  state.counters["TB_s"] = bytes_a_microsecond / 1e6;
  if (theirs.count() > 0) state.counters["rival_p50"] = theirs.percentile(50);
}
BENCHMARK(BM_Device)->Arg(1)->Arg(16)->ArgName("frames")->UseManualTime()->Iterations(2000)->Unit(
    benchmark::kMicrosecond);

}  // namespace

namespace bench {

std::vector<Bar> gpu_tensor_bars() {
  std::vector<Bar> bars;
  for (const char* frames : {"1", "16"}) {
    const std::string run =
        std::string("BM_Device/frames:") + frames + "/iterations:2000/manual_time";
    const std::string what = std::string(frames) + (frames[1] == 0 ? " frame" : " frames");
    bars.push_back({.what = what + ", by the device's events, median",
                    .unit = "us",
                    .value = figure(run, "device_p50")});
    bars.push_back({.what = what + ", its bytes at a large copy's bandwidth",
                    .unit = "us",
                    .value = figure(run, "bytes_us")});
    bars.push_back({.what = "an empty kernel, beside " + what,
                    .unit = "us",
                    .value = figure(run, "empty_p50")});
    bars.push_back({.what = what + ", over the larger of the two",
                    .unit = "x",
                    .value = ratio(run, "device_p50", run, "limit_us"),
                    .at_most = 1.3});
    bars.push_back({.what = what + ", from the call until it is known to be done",
                    .unit = "us",
                    .value = figure(run, "wall_p50")});
    bars.push_back({.what = "an empty kernel likewise, beside " + what,
                    .unit = "us",
                    .value = figure(run, "empty_wall_p50")});
    bars.push_back({.what = what + ", cudaconvertscale and a kernel likewise",
                    .unit = "us",
                    .value = figure(run, "rival_p50")});
    bars.push_back({.what = what + ", over cudaconvertscale and a kernel",
                    .unit = "x",
                    .value = ratio(run, "wall_p50", run, "rival_p50"),
                    .at_most = 0.5});
  }
  return bars;
}

}  // namespace bench
}  // namespace nv12slot
