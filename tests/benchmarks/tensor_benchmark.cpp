// SPDX-License-Identifier: LGPL-2.1-or-later
//
// 1080p to 640 x 640 floats, NCHW, letterboxed: on the CPU, one thread, against what a pipeline
// does otherwise: videoconvertscale to RGB, and a loop that makes floats of it. Both take turns in
// one loop. tensor_benchmark_gpu.cpp has the device.
#include "tensor_benchmark.h"

#include <gst/gst.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nv12slot/host_device.h"
#include "pushed_bin.h"
#include "tensor_writer.h"

namespace nv12slot {
namespace {

using bench::kPictureHeight;
using bench::kPictureWidth;
using bench::kTensorSide;
using std::chrono::steady_clock;

constexpr std::size_t kPixels = std::size_t{kTensorSide} * kTensorSide;
constexpr std::size_t kPictureBytes = std::size_t{kPictureWidth} * kPictureHeight * 3 / 2;

double microseconds(steady_clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

/// What follows videoconvertscale: packed bytes to planes of floats from 0 to 1. Compiled with -O3,
/// as the rest of this file.
void normalise(const std::uint8_t* __restrict rgb, float* __restrict tensor) {
  for (std::size_t i = 0; i < kPixels; ++i) {
    tensor[i] = static_cast<float>(rgb[3 * i]) * (1.0F / 255);
    tensor[kPixels + i] = static_cast<float>(rgb[3 * i + 1]) * (1.0F / 255);
    tensor[2 * kPixels + i] = static_cast<float>(rgb[3 * i + 2]) * (1.0F / 255);
  }
}

void BM_Host(benchmark::State& state) {
  const TensorSpec spec{.width = kTensorSide, .height = kTensorSide};
  HostDevice host;
  const Result<TensorWriter> writer = TensorWriter::open(host, spec);
  const Colour colour{.matrix = ColourMatrix::kBt709};
  // Several, in turn: a camera's frames are not in the cache.
  constexpr std::size_t kPictures = 8;
  std::vector<GstBuffer*> pictures;
  std::vector<GstMapInfo> maps(kPictures);
  for (GstMapInfo& map : maps) {
    pictures.push_back(gst_buffer_new_allocate(nullptr, kPictureBytes, nullptr));
    gst_buffer_map(pictures.back(), &map, GST_MAP_READWRITE);
    for (std::size_t i = 0; i < kPictureBytes; ++i) {
      map.data[i] = static_cast<std::uint8_t>(i * 7 + i / kPictureWidth);
    }
  }
  std::vector<float> tensor(3 * kPixels);
  std::vector<float> rivals_tensor(3 * kPixels);
  bench::PushedBin rival(
      "videoconvertscale n-threads=1 ! capsfilter caps=video/x-raw,format=RGB,width=640,height=640,"
      "pixel-aspect-ratio=1/1",
      "video/x-raw,format=NV12,width=1920,height=1080,framerate=30/1,pixel-aspect-ratio=1/1,"
      "colorimetry=bt709",
      [&rivals_tensor](GstBuffer* buffer, const GstCaps*) {
        GstMapInfo map;
        if (gst_buffer_map(buffer, &map, GST_MAP_READ) == FALSE) return;
        if (map.size == 3 * kPixels) normalise(map.data, rivals_tensor.data());
        gst_buffer_unmap(buffer, &map);
      });

  bench::Samples ours;
  bench::Samples theirs;
  std::size_t next = 0;
  bool failed = !writer || !rival.is_valid();
  for (auto _ : state) {
    const std::size_t i = next++ % kPictures;
    if (failed) {
      state.SkipWithError("no writer, or no videoconvertscale");
      break;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(maps[i].data);
    const Nv12Planes planes{address, address + std::size_t{kPictureWidth} * kPictureHeight,
                            kPictureWidth, kPictureWidth};
    const auto start = steady_clock::now();
    failed |= !writer->write({planes, kPictureWidth, kPictureHeight, colour,
                              reinterpret_cast<std::uintptr_t>(tensor.data())},
                             nullptr);
    const auto written = steady_clock::now();
    failed |= !rival.push(pictures[i]);
    const auto pushed = steady_clock::now();
    ours.add(microseconds(written - start));
    theirs.add(microseconds(pushed - written));
    state.SetIterationTime(std::chrono::duration<double>(written - start).count());
    benchmark::ClobberMemory();
  }
  for (std::size_t i = 0; i < kPictures; ++i) {
    gst_buffer_unmap(pictures[i], &maps[i]);
    gst_buffer_unref(pictures[i]);
  }
  if (rivals_tensor[kPixels / 2] == 0) state.SkipWithError("videoconvertscale made no tensor");
  state.counters["tensor_p50"] = ours.percentile(50);
  state.counters["tensor_p99"] = ours.percentile(99);
  state.counters["rival_p50"] = theirs.percentile(50);
  state.counters["rival_p99"] = theirs.percentile(99);
}
BENCHMARK(BM_Host)->UseManualTime()->Iterations(200)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  using nv12slot::bench::figure;
  using nv12slot::bench::ratio;
  gst_init(nullptr, nullptr);
  const std::string host = "BM_Host/iterations:200/manual_time";
  std::vector<nv12slot::bench::Bar> bars = {
      {.what = "1080p to 640 x 640 floats on one core, median",
       .unit = "us",
       .value = figure(host, "tensor_p50")},
      {.what = "the same, p99", .unit = "us", .value = figure(host, "tensor_p99")},
      {.what = "videoconvertscale to RGB and a loop, median",
       .unit = "us",
       .value = figure(host, "rival_p50")},
      {.what = "over videoconvertscale and a loop",
       .unit = "x",
       .value = ratio(host, "tensor_p50", host, "rival_p50"),
       .at_most = 1.0}};
#ifdef HAVE_GPU_TENSOR_BENCHMARK
  for (nv12slot::bench::Bar& bar : nv12slot::bench::gpu_tensor_bars()) {
    bars.push_back(std::move(bar));
  }
#endif
  return nv12slot::bench::run(argc, argv, bars);
}
