// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotdec against what it replaces. Here: the software path's CPU time against
// `avdec_h264 ! videoconvert ! nv12slotcopy`; decoder_benchmark_gpu.cpp has what needs a device. A
// side whose elements are missing is left out, and the label says so.
//
// NV12SLOT_STREAM names the H.264 byte stream to play, without B-frames, over and over; a small one
// is encoded without it. NV12SLOT_DECODER_OPTIONS are further properties of nv12slotdec on the GPU.
// NV12SLOT_REPETITIONS and NV12SLOT_FRAMES (of each) set how much is measured.
#include "decoder_benchmark.h"

#include <fmt/format.h>
#include <gst/gst.h>

#include <algorithm>
#include <string>
#include <utility>

#include "config.h"
#include "machine.h"
#include "nv12slot/process.h"
#include "player.h"
#include "stream.h"

namespace nv12slot {
namespace bench {

int repetitions() {
  return std::max(1, static_cast<int>(setting("NV12SLOT_REPETITIONS", 5)));
}

}  // namespace bench

namespace {

using bench::has_element;
using bench::Player;

/// Milliseconds of the process for each of `pictures`, the making of the pipeline included; 0 after
/// a failure.
double cpu_ms(const std::string& decode, std::uint64_t pictures) {
  const auto before = bench::cpu_time();
  Player player({.stream = &bench::stream(), .decode = decode, .pictures = pictures});
  const bool ended = player.wait_for_end();
  player.stop();
  // A frame that is dropped would be a saving.
  if (!ended || player.frames() != pictures) return 0;
  return bench::to_ms(bench::cpu_time() - before) / static_cast<double>(pictures);
}

/// range(0): max-threads of both decoders; 0: what each does by itself.
void BM_SoftwareCpu(benchmark::State& state) {
  const bool has_slots = has_element("nv12slotdec");
  if (bench::stream().is_empty() || !has_element("avdec_h264")) {
    state.SkipWithError(bench::stream().is_empty() ? "no stream: NV12SLOT_STREAM, or x264enc"
                                                   : "no avdec_h264");
    return;
  }
  const auto pictures = static_cast<std::uint64_t>(bench::setting("NV12SLOT_FRAMES", 300));
  const std::string threads =
      state.range(0) > 0 ? fmt::format("max-threads={}", state.range(0)) : std::string();
  // For both, so that no frame is lost and none is waited for: a consumer that holds nothing.
  const std::string slots = "device=-1 on-exhausted=block timeout=10000000000";
  const std::string ours = fmt::format("nv12slotdec force-path=software {} {}", slots, threads);
  const std::string theirs = fmt::format(
      "avdec_h264 {} ! videoconvert ! video/x-raw,format=NV12 ! nv12slotcopy {}", threads, slots);
  SlotPool& pool = *Process::get().pool;
  const PoolSettings settings = pool.settings();
  static_cast<void>(pool.set_cooldown(Duration(0)));

  bool failed = false;
  const auto sample = [&](const std::string& decode) {
    const double ms = cpu_ms(decode, pictures);
    failed = failed || ms == 0;
    return ms;
  };
  bench::Samples slotdec;
  bench::Samples avdec;
  for (auto _ : state) {
    // Makes the slots and fills the caches.
    cpu_ms(theirs, 30);
    if (has_slots) cpu_ms(ours, 30);
    for (int i = 0; i < bench::repetitions(); ++i) {
      avdec.add(sample(theirs));
      if (has_slots) slotdec.add(sample(ours));
    }
  }
  static_cast<void>(pool.set_cooldown(settings.cooldown));
  state.counters["avdec"] = avdec.percentile(50);
  if (has_slots) {
    state.counters["slotdec"] = slotdec.percentile(50);
    state.counters["ratio"] = slotdec.percentile(50) / avdec.percentile(50);
  } else {
    state.SetLabel("no nv12slotdec");
  }
  if (failed) state.SkipWithError("not every frame came");
}
BENCHMARK(BM_SoftwareCpu)->Arg(1)->Arg(0)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

std::vector<bench::Bar> software_bars() {
  using bench::figure;
  std::vector<bench::Bar> bars;
  for (const auto& [argument, threads] :
       {std::pair("1", "one thread"), std::pair("0", "default threads")}) {
    const std::string name = fmt::format("BM_SoftwareCpu/{}/iterations:1/real_time", argument);
    bars.push_back({.what = fmt::format("CPU time a frame: nv12slotdec in software, {}", threads),
                    .unit = "ms",
                    .value = figure(name, "slotdec")});
    bars.push_back(
        {.what = fmt::format("CPU time a frame: avdec_h264 ! … ! nv12slotcopy, {}", threads),
         .unit = "ms",
         .value = figure(name, "avdec")});
    bars.push_back({.what = fmt::format("nv12slotdec over that, {}", threads),
                    .unit = "x",
                    .value = figure(name, "ratio"),
                    .at_most = 1.05});
  }
  return bars;
}

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  nv12slot::bench::remember_device_memory();
  gst_init(&argc, &argv);
  std::vector<nv12slot::bench::Bar> bars = nv12slot::software_bars();
#ifdef HAVE_GPU_DECODER_BENCHMARK
  for (nv12slot::bench::Bar& bar : nv12slot::bench::gpu_decoder_bars())
    bars.push_back(std::move(bar));
#endif
  return nv12slot::bench::run(argc, argv, bars);
}
