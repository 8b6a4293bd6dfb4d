// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotdec on a device, against nvh264dec in the slots' CUDA context and against FFmpeg with
// nothing around it: frames per second, the time that it adds to a frame, what other cameras notice
// when one comes and goes, and memory.
//
//   NV12SLOT_DECODERS     decoders side by side for frames per second (28)
//   NV12SLOT_SECONDS      for which each repetition counts frames (2)
//   NV12SLOT_STREAM_2160  the H.264 byte stream of 2160p for the added time
//   NV12SLOT_QUIET_S, NV12SLOT_STORM_S, NV12SLOT_CAMERAS, NV12SLOT_FEED  see storm.h (8 s, 15 s)
#include <fmt/format.h>
#include <gst/nv12slot/nv12slot.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../gpu/have_gpu.h"
#include "decoder_benchmark.h"
#include "ffmpeg_decoder.h"
#include "machine.h"
#include "nv12slot/process.h"
#include "player.h"
#include "receive_time.h"
#include "storm.h"
#include "stream.h"

namespace nv12slot {
namespace {

using bench::has_element;
using bench::Player;
using bench::Samples;
using bench::setting;
using std::chrono::steady_clock;

enum class Side { kRival, kSlots };

/// On the stand-in driver, which has no parser of NVIDIA's, the decoder that brings its own.
std::string element(Side side) {
  if (side == Side::kSlots) return "nv12slotdec";
  return gpu::have_gpu() || !has_element("nvh264sldec") ? "nvh264dec" : "nvh264sldec";
}

/// Both write into memory of the device. `options` are of nv12slotdec only.
std::string decode(Side side, const std::string& options = {}) {
  const char* given = std::getenv("NV12SLOT_DECODER_OPTIONS");
  return fmt::format(
      "{} name=decoder {} ! video/x-raw(memory:CUDAMemory),format=NV12", element(side),
      side == Side::kSlots ? fmt::format("device=0 {} {}", options, given != nullptr ? given : "")
                           : std::string());
}

/// Skips what this machine cannot run.
bool can_run(benchmark::State& state, Side side) {
  const std::string why = cuda_device_count() == 0     ? "no GPU here"
                          : bench::stream().is_empty() ? "no stream: NV12SLOT_STREAM, or x264enc"
                          : !has_element(element(side).c_str()) ? "no " + element(side)
                                                                : "";
  if (!why.empty()) state.SkipWithError(why.c_str());
  return why.empty();
}

/// Frames a second of all of them once each has given some; 0 after a failure.
template <typename Decoder>
double count_frames(std::vector<std::unique_ptr<Decoder>>& decoders) {
  for (auto& decoder : decoders) {
    if (!decoder->wait_for(30)) return 0;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto total = [&] {
    std::uint64_t frames = 0;
    for (const auto& decoder : decoders) frames += decoder->frames();
    return static_cast<double>(frames);
  };
  const auto start = steady_clock::now();
  const double before = total();
  std::this_thread::sleep_for(std::chrono::duration<double>(setting("NV12SLOT_SECONDS", 2)));
  return (total() - before) / std::chrono::duration<double>(steady_clock::now() - start).count();
}

/// The same, and ends them all at a time: one after the other takes seconds.
template <typename Decoder>
double frames_per_second(std::vector<std::unique_ptr<Decoder>> decoders) {
  const double frames = count_frames(decoders);
  std::vector<std::thread> ends;
  for (auto& decoder : decoders) ends.emplace_back([&decoder] { decoder.reset(); });
  for (std::thread& end : ends) end.join();
  return frames;
}

double frames_per_second(std::size_t count, Side side) {
  std::vector<std::unique_ptr<Player>> players;
  for (std::size_t i = 0; i < count; ++i) {
    players.push_back(std::make_unique<Player>(
        Player::Settings{.stream = &bench::stream(),
                         .decode = decode(side, "on-exhausted=block timeout=10000000000"),
                         .shares_context = true}));
  }
  return frames_per_second(std::move(players));
}

double frames_per_second_of_ffmpeg(std::size_t count) {
  std::vector<std::unique_ptr<bench::FfmpegDecoder>> decoders;
  for (std::size_t i = 0; i < count; ++i) {
    decoders.push_back(std::make_unique<bench::FfmpegDecoder>(
        bench::stream(), *Process::get().pool->device(0).value()));
  }
  return frames_per_second(std::move(decoders));
}

/// The sides take turns. FFmpeg alone is run even where there is no nv12slotdec.
void BM_DecoderThroughput(benchmark::State& state) {
  const bool has_slots = has_element("nv12slotdec");
  if (!can_run(state, Side::kRival)) return;
  const auto count = static_cast<std::size_t>(setting("NV12SLOT_DECODERS", 28));
  // So many that thousands of unfenced frames a second find a slot.
  static_cast<void>(Process::get().pool->set_cap(1024));
  Samples slots;
  Samples rival;
  Samples ffmpeg;
  for (auto _ : state) {
    for (int i = 0; i < bench::repetitions(); ++i) {
      if (has_slots) slots.add(frames_per_second(count, Side::kSlots));
      rival.add(frames_per_second(count, Side::kRival));
      ffmpeg.add(frames_per_second_of_ffmpeg(count));
    }
  }
  state.counters["rival"] = rival.percentile(50);
  state.counters["ffmpeg"] = ffmpeg.percentile(50);
  if (has_slots) {
    state.counters["slots"] = slots.percentile(50);
    state.counters["slots_min"] = slots.percentile(0);
    state.counters["slots_max"] = slots.percentile(100);
  } else {
    state.SetLabel("no nv12slotdec");
  }
  for (const Samples* side : {&slots, &rival, &ffmpeg}) {
    if (side->count() > 0 && side->percentile(0) == 0)
      state.SkipWithError("a decoder gave no frames");
  }
}
BENCHMARK(BM_DecoderThroughput)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

/// From FFmpeg's giving the frame to nv12slotdec's pushing it, of one decoder that plays as fast as
/// it goes. NV12SLOT_FRAMES of them (600), after 60 to warm up. range(0): whether the consumer
/// promises to wait for each frame itself, so that nv12slotdec does not. FFmpeg gives a frame out
/// while NVDEC's post-processing still writes it: "floor" is how long that takes, of FFmpeg alone.
void BM_ReadyToPushed(benchmark::State& state) {
  if (!can_run(state, Side::kSlots)) return;
  const char* file = std::getenv("NV12SLOT_STREAM_2160");
  const bench::Stream stream(file != nullptr ? file : "");
  if (stream.is_empty()) {
    state.SkipWithError("no stream of 2160p: NV12SLOT_STREAM_2160");
    return;
  }
  constexpr std::uint64_t kWarm = 60;
  const auto frames = static_cast<std::uint64_t>(setting("NV12SLOT_FRAMES", 600));
  static_cast<void>(Process::get().pool->set_cap(128));
  struct Added {
    std::uint64_t frames = 0;
    Samples us;
  } added;
  const auto on_push = +[](GstPad*, GstPadProbeInfo*, gpointer data) {
    const auto now = steady_clock::now();
    auto& of = *static_cast<Added*>(data);
    const auto received = bench::take_receive_time();
    if (++of.frames > kWarm && received) of.us.add(bench::to_ms(now - *received) * 1000);
    return GST_PAD_PROBE_OK;
  };
  for (auto _ : state) {
    Player player({.stream = &stream,
                   .decode = decode(Side::kSlots, "on-exhausted=block timeout=10000000000"),
                   .shares_context = true,
                   .prepare = [&](GstElement* pipeline) {
                     GstElement* decoder = gst_bin_get_by_name(GST_BIN(pipeline), "decoder");
                     GstPad* pad = gst_element_get_static_pad(decoder, "src");
                     gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_push, &added, nullptr);
                     gst_object_unref(pad);
                     gst_object_unref(decoder);
                     if (state.range(0) == 0) return;
                     GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
                     GstPad* end = gst_element_get_static_pad(sink, "sink");
                     gst_nv12_slot_declare_reader(end);
                     gst_object_unref(end);
                     gst_object_unref(sink);
                   }});
    if (!player.wait_for(kWarm + frames)) state.SkipWithError("the decoder gave no frames");
  }
  Samples floor;
  {
    bench::FfmpegDecoder alone(stream, *Process::get().pool->device(0).value(), &floor);
    if (!alone.wait_for(kWarm + frames)) state.SkipWithError("FFmpeg gave no frames");
  }
  state.counters["floor"] = floor.percentile(50);
  if (added.us.count() == 0) {
    state.SkipWithError("no frame was pushed by the thread that received it from FFmpeg");
  }
  state.counters["p50"] = added.us.percentile(50);
  state.counters["p99"] = added.us.percentile(99);
  state.counters["frames"] = static_cast<double>(added.us.count());
}
BENCHMARK(BM_ReadyToPushed)->Arg(0)->Arg(1)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

bench::StormSettings storm_settings(Side side) {
  // What each consumer holds, what cools and what is under way; sixteen times.
  static_cast<void>(Process::get().pool->set_cap(128));
  bench::StormSettings settings;
  settings.decode = decode(side);
  settings.shares_context = true;
  settings.quiet = std::chrono::duration<double>(setting("NV12SLOT_QUIET_S", 8));
  settings.start_over = settings.quiet;
  settings.storm = std::chrono::duration<double>(setting("NV12SLOT_STORM_S", 15));
  return settings;
}

/// range(0): milliseconds of the inference kernels; range(1): a Side. nvh264dec goes first:
/// nv12slotdec may keep decoders and slots.
void BM_Storm(benchmark::State& state) {
  const auto side = static_cast<Side>(state.range(1));
  if (!can_run(state, side)) return;
  if (!gpu::have_gpu() && state.range(0) != 5) {
    state.SkipWithError("no inference here, so the same as with 5 ms");
    return;
  }
  bench::StormSettings settings = storm_settings(side);
  settings.kernel = std::chrono::milliseconds(state.range(0));
  const std::uint64_t exhausted = Process::get().pool->stats(0).exhausted;
  bench::StormFigures figures;
  for (auto _ : state) figures = bench::run_storm(settings);
  const auto set = [&](const std::string& name, const Samples& before, const Samples& storm,
                       double percent) {
    if (before.count() == 0 || storm.count() == 0) return;
    state.counters[name + "_quiet"] = before.percentile(percent);
    state.counters[name + "_storm"] = storm.percentile(percent);
    state.counters[name + "_ratio"] = storm.percentile(percent) / before.percentile(percent);
  };
  set("decoder", figures.quiet.in_decoder, figures.storm.in_decoder, 99.9);
  set("decoder_start_over", figures.start_over.in_decoder, figures.storm.in_decoder, 99.9);
  set("decoder_p50", figures.quiet.in_decoder, figures.storm.in_decoder, 50);
  set("decoder_max", figures.quiet.in_decoder, figures.storm.in_decoder, 100);
  set("gap", figures.quiet.gap, figures.storm.gap, 99.9);
  set("gap_max", figures.quiet.gap, figures.storm.gap, 100);
  set("step", figures.quiet_step, figures.storm_step, 100);
  set("step_p999", figures.quiet_step, figures.storm_step, 99.9);
  set("step_p50", figures.quiet_step, figures.storm_step, 50);
  state.counters["gone_p50"] = figures.gone.percentile(50);
  state.counters["gone_max"] = figures.gone.percentile(100);
  state.counters["first_frame_p50"] = figures.first_frame.percentile(50);
  state.counters["first_frame_max"] = figures.first_frame.percentile(100);
  state.counters["frames"] = static_cast<double>(figures.storm.in_decoder.count());
  state.counters["recreations"] = static_cast<double>(figures.gone.count());
  state.counters["exhausted"] =
      static_cast<double>(Process::get().pool->stats(0).exhausted - exhausted);
  if (figures.failed) state.SkipWithError("a camera gave no frames");
}
BENCHMARK(BM_Storm)
    ->ArgsProduct({{5, 25}, {static_cast<int>(Side::kRival), static_cast<int>(Side::kSlots)}})
    ->Unit(benchmark::kSecond)
    ->Iterations(1)
    ->UseRealTime();

/// The most memory of a device that a short storm takes, the inference included, in a process of
/// its own: contexts and pools stay. This program again, told by NV12SLOT_MEMORY_OF. 0 after a
/// failure.
constexpr const char* kMemoryLine = "device memory, bytes: ";
double device_memory_of(Side side) {
  std::array<char, 4096> program{};
  if (readlink("/proc/self/exe", program.data(), program.size() - 1) <= 0) return 0;
  FILE* child = popen(fmt::format("NV12SLOT_MEMORY_OF={} '{}' --benchmark_filter=BM_DeviceMemory",
                                  static_cast<int>(side), program.data())
                          .c_str(),
                      "r");
  if (child == nullptr) return 0;
  double bytes = 0;
  std::array<char, 1024> line{};
  while (std::fgets(line.data(), line.size(), child) != nullptr) {
    const std::string text = line.data();
    if (text.starts_with(kMemoryLine)) bytes = std::atof(text.c_str() + std::strlen(kMemoryLine));
  }
  return pclose(child) == 0 ? bytes : 0;
}

/// Nothing else may run on the device. Two processes, one after the other.
void BM_DeviceMemory(benchmark::State& state) {
  if (const char* child_of = std::getenv("NV12SLOT_MEMORY_OF")) {
    bench::StormSettings settings = storm_settings(static_cast<Side>(std::atoi(child_of)));
    settings.quiet = {};
    settings.start_over = {};
    settings.storm = std::chrono::seconds(4);
    settings.measures_memory = true;
    bench::StormFigures figures;
    for (auto _ : state) figures = bench::run_storm(settings);
    if (!figures.failed) fmt::print("{}{}\n", kMemoryLine, figures.device_memory);
    return;
  }
  if (!can_run(state, Side::kRival)) return;
  if (!gpu::have_gpu()) {
    state.SkipWithError("no GPU here");
    return;
  }
  const bool has_slots = has_element("nv12slotdec");
  double rival = 0;
  double slots = 0;
  for (auto _ : state) {
    rival = device_memory_of(Side::kRival) / 1e6;
    if (has_slots) slots = device_memory_of(Side::kSlots) / 1e6;
  }
  state.counters["rival_MB"] = rival;
  if (has_slots) {
    state.counters["slots_MB"] = slots;
  } else {
    state.SetLabel("no nv12slotdec");
  }
  if (rival == 0 || (has_slots && slots == 0)) state.SkipWithError("a camera gave no frames");
}
BENCHMARK(BM_DeviceMemory)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

std::vector<bench::Bar> storm_bars(int kernel_ms) {
  using bench::figure;
  const auto name = [&](Side side) {
    return fmt::format("BM_Storm/{}/{}/iterations:1/real_time", kernel_ms, static_cast<int>(side));
  };
  const std::string slots = name(Side::kSlots);
  const std::string rival = name(Side::kRival);
  std::vector<bench::Bar> bars;
  // Each figure of nv12slotdec with its bar, and nvh264dec's behind it.
  const auto add = [&](const std::string& what, const std::string& unit, const std::string& counter,
                       std::optional<double> at_most) {
    const std::string text = fmt::format("{} ms kernels: {}", kernel_ms, what);
    bars.push_back(
        {.what = text, .unit = unit, .value = figure(slots, counter), .at_most = at_most});
    bars.push_back({.what = text + " (nvh264dec)", .unit = unit, .value = figure(rival, counter)});
  };
  add("set_state(NULL) + unref, p50", "ms", "gone_p50", 2.0);
  add("set_state(NULL) + unref, max", "ms", "gone_max", 2.0);
  add("created to first frame, p50", "ms", "first_frame_p50", 15.0);
  add("created to first frame, max", "ms", "first_frame_max", 15.0);
  add("others in decoder, quiet, p99.9", "ms", "decoder_quiet", {});
  add("others in decoder, storm, p99.9", "ms", "decoder_storm", {});
  add("others in decoder, storm/quiet, p99.9", "x", "decoder_ratio", 1.1);
  // The storm without what nv12slotdec has to do with it.
  add("others in decoder, another starts its stream over, p99.9", "ms", "decoder_start_over_quiet",
      {});
  add("others in decoder, storm over that, p99.9", "x", "decoder_start_over_ratio", {});
  add("others' frame gap, quiet, p99.9", "ms", "gap_quiet", {});
  add("others' frame gap, storm, p99.9", "ms", "gap_storm", {});
  add("others' frame gap, storm/quiet, p99.9", "x", "gap_ratio", 1.1);
  add("inference step, quiet, max", "ms", "step_quiet", {});
  add("inference step, storm, max", "ms", "step_storm", {});
  add("inference step, storm/quiet, max", "x", "step_ratio", 1.1);
  // The longer phase has the higher maximum by chance alone; this has no such bias.
  add("inference step, storm/quiet, p99.9", "x", "step_p999_ratio", {});
  add("times no slot was to be had at first", "", "exhausted", {});
  return bars;
}

}  // namespace

std::vector<bench::Bar> bench::gpu_decoder_bars() {
  const std::string throughput = "BM_DecoderThroughput/iterations:1/real_time";
  const std::string ready = "BM_ReadyToPushed/0/iterations:1/real_time";
  const std::string promised = "BM_ReadyToPushed/1/iterations:1/real_time";
  const std::string memory = "BM_DeviceMemory/iterations:1/real_time";
  std::vector<Bar> bars = {
      {.what = "decoders side by side: nv12slotdec",
       .unit = "fps",
       .value = figure(throughput, "slots")},
      {.what = "the same, nvh264dec in one shared context",
       .unit = "fps",
       .value = figure(throughput, "rival")},
      {.what = "the same, FFmpeg alone", .unit = "fps", .value = figure(throughput, "ffmpeg")},
      {.what = "frames per second, nv12slotdec over nvh264dec",
       .unit = "x",
       .value = ratio(throughput, "slots", throughput, "rival"),
       .at_least = 1.0},
      {.what = "frames per second, nv12slotdec over FFmpeg alone",
       .unit = "x",
       .value = ratio(throughput, "slots", throughput, "ffmpeg"),
       .at_least = 0.95},
      {.what = "2160p, frame ready to slot pushed, p50",
       .unit = "us",
       .value = figure(ready, "p50"),
       .at_most = 25.0},
      {.what = "2160p, frame ready to slot pushed, p99",
       .unit = "us",
       .value = figure(ready, "p99")},
      {.what = "the same, of which NVDEC's post-processing, p50",
       .unit = "us",
       .value = figure(ready, "floor")},
      {.what = "the same, consumer waits by itself, p50",
       .unit = "us",
       .value = figure(promised, "p50"),
       .at_most = 25.0},
  };
  for (const int kernel_ms : {5, 25}) {
    for (Bar& bar : storm_bars(kernel_ms)) bars.push_back(std::move(bar));
  }
  bars.push_back({.what = "device memory in the storm, nv12slotdec",
                  .unit = "MB",
                  .value = figure(memory, "slots_MB"),
                  .at_most = 1283.0});
  bars.push_back({.what = "device memory in the storm, nvh264dec",
                  .unit = "MB",
                  .value = figure(memory, "rival_MB")});
  bars.push_back({.what = "device memory, nv12slotdec over nvh264dec",
                  .unit = "x",
                  .value = ratio(memory, "slots_MB", memory, "rival_MB"),
                  .at_most = 1.0});
  return bars;
}

}  // namespace nv12slot
