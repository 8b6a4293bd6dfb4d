// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotsrc with real RTSP on loopback: how soon a camera comes back, what the others notice, and
// what looking after it costs. Software decoding, slots of the host; see Simulation.
//
// Asked of the environment: NV12SLOT_CUTS (30), NV12SLOT_STALLS (10), NV12SLOT_ROUNDS of all
// cameras at once (3) and of faults beside others (5), NV12SLOT_WARM_S (12: more than
// healthy-time), NV12SLOT_SECONDS of watching watchdogs (20), NV12SLOT_RECONNECTS (1,000) and
// NV12SLOT_SETTLE_S, how long their threads have to end (20).
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bars.h"
#include "machine.h"
#include "nv12slot/process.h"
#include "process_counts.h"
#include "simulation.h"
#include "src_camera.h"

namespace nv12slot {
namespace {

using bench::Clock;
using bench::PlainCamera;
using bench::Samples;
using bench::setting;
using bench::Simulation;
using bench::SrcCamera;
using bench::to_ms;
using std::chrono::milliseconds;

constexpr unsigned kMostCameras = 64;
constexpr milliseconds kPacketTimeout(1000);
constexpr const char* kDied = "a camera gave no frames";

/// One for all benchmarks.
Simulation& simulation() {
  static Simulation all(kMostCameras);
  return all;
}

unsigned count_setting(const char* name, unsigned otherwise) {
  return static_cast<unsigned>(setting(name, otherwise));
}

std::chrono::duration<double> warm_time() {
  return std::chrono::duration<double>(setting("NV12SLOT_WARM_S", 12));
}

/// So that each fault meets another moment between two key pictures.
void sleep_a_while(std::minstd_rand& random) {
  std::this_thread::sleep_for(milliseconds(500 + random() % 1000));
}

using Cameras = std::vector<std::unique_ptr<SrcCamera>>;

/// Empty if one gives no frames.
Cameras play(unsigned count, const std::string& properties = {}) {
  Cameras cameras;
  for (unsigned i = 0; i < count; ++i) {
    cameras.push_back(std::make_unique<SrcCamera>(simulation().uri(i), properties));
  }
  for (const auto& camera : cameras) {
    if (!camera->wait_for_frames(Simulation::kFps)) return {};
  }
  return cameras;
}

enum class Fault { kCut, kReset, kStall, kFlip };

void make(Fault fault, soak::Proxy& proxy) {
  switch (fault) {
    case Fault::kCut:
      return proxy.cut();
    case Fault::kReset:
      return proxy.reset();
    case Fault::kStall:
      return proxy.stall();
    case Fault::kFlip:
      return proxy.flip();
  }
}

/// range(0): a Fault. healthy-time is short, as the cuts come often; each is the first of its kind
/// for the camera, as it is after ten seconds of playing.
void BM_Cut(benchmark::State& state) {
  const auto fault = static_cast<Fault>(state.range(0));
  std::minstd_rand random(1);
  Samples packet;
  Samples back;
  for (auto _ : state) {
    const Cameras cameras = play(1, "healthy-time=1000000");
    if (cameras.empty()) return state.SkipWithError(kDied);
    SrcCamera& camera = *cameras.front();
    for (unsigned i = 0; i < count_setting("NV12SLOT_CUTS", 30); ++i) {
      sleep_a_while(random);
      const auto cut = Clock::now();
      make(fault, simulation().proxy(0));
      const auto came = camera.back_after(cut);
      if (!came) return state.SkipWithError(kDied);
      back.add(to_ms(*came - cut));
      packet.add(to_ms(camera.first_packet() - cut));
    }
  }
  state.counters["back_p50"] = back.percentile(50);
  state.counters["back_max"] = back.percentile(100);
  state.counters["packet_p50"] = packet.percentile(50);
  state.counters["packet_max"] = packet.percentile(100);
}
BENCHMARK(BM_Cut)
    ->Arg(static_cast<int>(Fault::kCut))
    ->Arg(static_cast<int>(Fault::kReset))
    ->Unit(benchmark::kSecond)
    ->Iterations(1)
    ->UseRealTime();

/// The same without nv12slotsrc. range(0): rtspsrc's latency in ms.
void BM_PlainCut(benchmark::State& state) {
  std::minstd_rand random(1);
  Samples back;
  for (auto _ : state) {
    PlainCamera camera(simulation().uri(0), static_cast<unsigned>(state.range(0)));
    if (!camera.wait_for_frame()) return state.SkipWithError(kDied);
    for (unsigned i = 0; i < count_setting("NV12SLOT_CUTS", 30); ++i) {
      sleep_a_while(random);
      const auto cut = Clock::now();
      simulation().proxy(0).cut();
      if (!camera.make_anew()) return state.SkipWithError("the cut was not noticed");
      const auto came = camera.wait_for_frame();
      if (!came) return state.SkipWithError(kDied);
      back.add(to_ms(*came - cut));
    }
  }
  state.counters["back_p50"] = back.percentile(50);
  state.counters["back_max"] = back.percentile(100);
}
BENCHMARK(BM_PlainCut)->Arg(2000)->Arg(200)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

void BM_Stall(benchmark::State& state) {
  std::minstd_rand random(1);
  Samples late;
  for (auto _ : state) {
    const Cameras cameras = play(1, fmt::format("healthy-time=1000000 packet-timeout={}",
                                                std::chrono::nanoseconds(kPacketTimeout).count()));
    if (cameras.empty()) return state.SkipWithError(kDied);
    SrcCamera& camera = *cameras.front();
    for (unsigned i = 0; i < count_setting("NV12SLOT_STALLS", 10); ++i) {
      sleep_a_while(random);
      const auto stalled = Clock::now();
      simulation().proxy(0).stall();
      std::this_thread::sleep_for(kPacketTimeout / 2);
      const auto last = camera.last_packet();
      const auto told = camera.told_after(stalled, "waiting", "packet-timeout");
      if (!told) return state.SkipWithError("the stall was not noticed");
      late.add(to_ms(*told - last - kPacketTimeout));
      if (!camera.back_after(*told)) return state.SkipWithError(kDied);
    }
  }
  state.counters["late_p50"] = late.percentile(50);
  state.counters["late_max"] = late.percentile(100);
}
BENCHMARK(BM_Stall)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

/// Starts the server that was killed again; how long that took.
double restart_server() {
  const auto start = Clock::now();
  simulation().server().start();
  while (!simulation().server().is_up()) g_main_context_iteration(nullptr, TRUE);
  return to_ms(Clock::now() - start);
}

/// range(0): cameras; range(1): whether the server is killed and started again, or they are cut and
/// it is there. With the element's own settings.
void BM_AllAtOnce(benchmark::State& state) {
  const bool kills = state.range(1) != 0;
  Samples last;
  Samples middle;
  Samples packet;
  Samples down;
  Samples cpu;
  for (auto _ : state) {
    const auto count = static_cast<unsigned>(state.range(0));
    const Cameras cameras = play(count);
    if (cameras.empty()) return state.SkipWithError(kDied);
    for (unsigned i = 0; i < count_setting("NV12SLOT_ROUNDS", 3); ++i) {
      std::this_thread::sleep_for(warm_time());
      const auto cut = Clock::now();
      const auto cpu_before = bench::cpu_time();
      if (kills) {
        simulation().server().kill();
        down.add(restart_server());
      } else {
        for (unsigned c = 0; c < count; ++c) simulation().proxy(c).cut();
      }
      Samples back;
      Samples first_packets;
      for (const auto& camera : cameras) {
        const auto came = camera->back_after(cut);
        if (!came) return state.SkipWithError(kDied);
        back.add(to_ms(*came - cut));
        first_packets.add(to_ms(camera->first_packet() - cut));
      }
      packet.add(first_packets.percentile(100));
      cpu.add(100 * to_ms(bench::cpu_time() - cpu_before) / back.percentile(100));
      last.add(back.percentile(100));
      middle.add(back.percentile(50));
    }
  }
  state.counters["last_s"] = last.percentile(100) / 1000;
  state.counters["middle_s"] = middle.percentile(100) / 1000;
  state.counters["packet_s"] = packet.percentile(100) / 1000;
  state.counters["cpu_percent"] = cpu.percentile(50);
  if (kills) state.counters["server_down_s"] = down.percentile(100) / 1000;
}
BENCHMARK(BM_AllAtOnce)
    ->Args({16, 0})
    ->Args({64, 0})
    ->Args({16, 1})
    ->Args({64, 1})
    ->Unit(benchmark::kSecond)
    ->Iterations(1)
    ->UseRealTime();

/// One of 16 has a fault after another; what the others notice in the three seconds from each. As
/// long without a fault takes its turn with them: other programs of the machine make gaps too.
/// Gaps of packets, where they leave the RTSP source, tell it and what is before it from the rest
/// of the element.
void BM_Others(benchmark::State& state) {
  constexpr auto kWindow = std::chrono::seconds(3);
  const std::vector<std::pair<const char*, std::optional<Fault>>> turns = {{"none", std::nullopt},
                                                                           {"cut", Fault::kCut},
                                                                           {"stall", Fault::kStall},
                                                                           {"flip", Fault::kFlip}};
  std::vector<Samples> gaps(turns.size());
  std::vector<Samples> packet_gaps(turns.size());
  for (auto _ : state) {
    const Cameras cameras = play(16, fmt::format("healthy-time=1000000 packet-timeout={}",
                                                 std::chrono::nanoseconds(kPacketTimeout).count()));
    if (cameras.empty()) return state.SkipWithError(kDied);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    for (unsigned i = 0; i < count_setting("NV12SLOT_ROUNDS", 5); ++i) {
      for (std::size_t turn = 0; turn < turns.size(); ++turn) {
        const auto from = Clock::now();
        if (turns[turn].second) make(*turns[turn].second, simulation().proxy(0));
        std::this_thread::sleep_until(from + kWindow);
        for (std::size_t c = 1; c < cameras.size(); ++c) {
          gaps[turn].add(to_ms(cameras[c]->longest_gap(from, from + kWindow)));
          packet_gaps[turn].add(to_ms(cameras[c]->longest_packet_gap(from, from + kWindow)));
        }
      }
    }
  }
  for (std::size_t turn = 0; turn < turns.size(); ++turn) {
    const std::string name = turns[turn].first;
    state.counters[name] = gaps[turn].percentile(100);
    state.counters[name + "_p50"] = gaps[turn].percentile(50);
    state.counters[name + "_packets"] = packet_gaps[turn].percentile(100);
  }
}
BENCHMARK(BM_Others)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

/// What the threads use that look after 16 cameras which play.
void BM_Watchdogs(benchmark::State& state) {
  for (auto _ : state) {
    const Cameras cameras = play(16);
    if (cameras.empty()) return state.SkipWithError(kDied);
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const auto times = [] {
      return bench::times_of_threads({"nv12slot-camera", "nv12slot-source"});
    };
    const std::chrono::duration<double> time(setting("NV12SLOT_SECONDS", 20));
    const bench::ThreadTimes before = times();
    std::this_thread::sleep_for(time);
    const bench::ThreadTimes after = times();
    state.counters["threads"] = after.threads;
    state.counters["ticks"] = static_cast<double>(after.ticks - before.ticks);
    state.counters["core_percent"] = 100 * to_ms(after.exact - before.exact) / 1000 / time.count();
  }
}
BENCHMARK(BM_Watchdogs)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

/// Cuts `times` connections, each once its camera is back from the cut before.
bool reconnect(const Cameras& cameras, unsigned times) {
  std::vector<std::thread> threads;
  std::atomic<bool> all_back{true};
  const auto count = static_cast<unsigned>(cameras.size());
  for (unsigned c = 0; c < count; ++c) {
    threads.emplace_back([&, c] {
      for (unsigned i = c; i < times; i += count) {
        const auto cut = Clock::now();
        simulation().proxy(c).cut();
        if (!cameras[c]->back_after(cut)) all_back = false;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return all_back;
}

void BM_Reconnects(benchmark::State& state) {
  const unsigned times = count_setting("NV12SLOT_RECONNECTS", 1000);
  for (auto _ : state) {
    const Cameras cameras = play(8, "healthy-time=1000000");
    if (cameras.empty()) return state.SkipWithError(kDied);
    const auto slots_made = [] { return Process::get().pool->stats(kHostDomain).allocated; };
    // Longer than GLib keeps threads that have nothing to do.
    const auto counts = [] {
      return bench::settled_process_counts(
          std::chrono::milliseconds(count_setting("NV12SLOT_SETTLE_S", 20) * 1000));
    };
    bool all_back = reconnect(cameras, times / 10);
    const bench::ProcessCounts before = counts();
    const std::uint64_t slots = slots_made();
    all_back = reconnect(cameras, times) && all_back;
    const bench::ProcessCounts after = counts();
    if (!all_back) return state.SkipWithError(kDied);
    state.counters["threads_before"] = before.threads;
    state.counters["threads_more"] = static_cast<double>(after.threads) - before.threads;
    state.counters["files_more"] = static_cast<double>(after.files) - before.files;
    state.counters["resident_MB"] = (after.resident - before.resident) / 1e6;
    state.counters["slots_made"] = static_cast<double>(slots_made() - slots);
    std::uint64_t abandoned = 0;
    for (const auto& camera : cameras) abandoned += camera->stat("teardowns-abandoned");
    state.counters["abandoned"] = static_cast<double>(abandoned);
  }
}
BENCHMARK(BM_Reconnects)->Unit(benchmark::kSecond)->Iterations(1)->UseRealTime();

std::vector<bench::Bar> bars() {
  using bench::figure;
  const std::string once = "/iterations:1/real_time";
  std::vector<bench::Bar> bars;
  const auto add = [&](std::string what, std::string unit, const std::string& benchmark,
                       const std::string& name, std::optional<double> at_most = {}) {
    bars.push_back({.what = std::move(what),
                    .unit = std::move(unit),
                    .value = figure(benchmark + once, name),
                    .at_most = at_most});
  };
  constexpr double kGop = 1000;
  for (const auto& [fault, name] : {std::pair{"BM_Cut/0", "cut"}, {"BM_Cut/1", "reset"}}) {
    add(fmt::format("{} to first good frame, median", name), "ms", fault, "back_p50");
    add(fmt::format("{} to first good frame, most", name), "ms", fault, "back_max", kGop + 100);
    add(fmt::format("{} to first packet, median", name), "ms", fault, "packet_p50");
    add(fmt::format("{} to first packet, most", name), "ms", fault, "packet_max");
  }
  for (const auto& [benchmark, name] :
       {std::pair{"BM_PlainCut/2000", "rtspsrc made anew, latency 2 s (its default)"},
        {"BM_PlainCut/200", "rtspsrc made anew, latency 200 ms"}}) {
    add(fmt::format("{}: median", name), "ms", benchmark, "back_p50");
    add(fmt::format("{}: most", name), "ms", benchmark, "back_max");
  }
  add("stall noticed after packet-timeout, most", "ms", "BM_Stall", "late_max", 100);
  for (const auto& [benchmark, name] :
       {std::pair{"BM_AllAtOnce/64/0", "64 cameras cut at once"},
        {"BM_AllAtOnce/16/0", "16 cameras cut at once"},
        {"BM_AllAtOnce/64/1", "64 cameras, server killed and started"},
        {"BM_AllAtOnce/16/1", "16 cameras, server killed and started"}}) {
    const bool has_bar = benchmark == std::string("BM_AllAtOnce/64/0");
    add(fmt::format("{}: until the last is back", name), "s", benchmark, "last_s",
        has_bar ? std::optional(10.0) : std::nullopt);
    add(fmt::format("{}: until half of them are back", name), "s", benchmark, "middle_s");
    add(fmt::format("{}: until the last one's first packet", name), "s", benchmark, "packet_s");
    add(fmt::format("{}: CPU of this process meanwhile, of a core", name), "%", benchmark,
        "cpu_percent");
    add(fmt::format("{}: the server was starting for", name), "s", benchmark, "server_down_s");
  }
  for (const char* const fault : {"cut", "stall", "flip", "none"}) {
    const bool has_bar = fault != std::string("none");
    const std::string others = fmt::format("15 cameras beside one with a fault ({})", fault);
    add(others + ": longest gap", "ms", "BM_Others", fault,
        has_bar ? std::optional(2000.0 / Simulation::kFps) : std::nullopt);
    add(others + ": longest in 3 s, median of the cameras", "ms", "BM_Others",
        (fault + std::string("_p50")));
    add(others + ": longest gap of packets behind the RTSP source", "ms", "BM_Others",
        (fault + std::string("_packets")));
  }
  add("watchdogs of 16 cameras: CPU time, in ticks", "", "BM_Watchdogs", "ticks");
  add("watchdogs of 16 cameras: CPU time by the scheduler's count, of a core", "%", "BM_Watchdogs",
      "core_percent");
  add("threads more after 1,000 reconnects", "", "BM_Reconnects", "threads_more", 0);
  add("file descriptors more after 1,000 reconnects", "", "BM_Reconnects", "files_more", 0);
  add("slots made by 1,000 reconnects", "", "BM_Reconnects", "slots_made", 0);
  add("resident memory more after 1,000 reconnects", "MB", "BM_Reconnects", "resident_MB");
  return bars;
}

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  using nv12slot::bench::Simulation;
  if (Simulation::is_server(argc, argv)) return Simulation::serve(argc, argv);
  gst_init(&argc, &argv);
  static_cast<void>(nv12slot::Process::get().pool->set_cap(256));
  return nv12slot::bench::run(argc, argv, nv12slot::bars());
}
