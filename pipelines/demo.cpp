// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slot-demo: cameras come and go while an engine holds their frames. Every camera is a pipeline
// of its own, which plays real RTSP on loopback; an engine holds each frame for a random time;
// meanwhile camera after camera is destroyed and made again, or its connection cut. In the end no
// held frame may have changed, no slot may be missing, and every camera must be back.

#include <fmt/format.h>
#include <gst/gst.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "demo_camera.h"
#include "demo_display.h"
#include "demo_encode.h"
#include "demo_engine.h"
#include "demo_network.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/process.h"
#include "temporary_folder.h"

namespace demo {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

volatile std::sig_atomic_t interrupted = 0;

struct Options {
  std::vector<std::string> files;
  double seconds = 20;
  unsigned cameras = 4;
  unsigned hold_ms = 400;
  double recreate_every = 1;
  double cut_every = 1.5;
  std::optional<int> device;
  std::string decoder;  // empty: nv12slotdec, or what there is
  bool fast = false;
  unsigned seed = 1;
  std::string json;
  EncodeSetup encode;
};

/// A camera over all its lives.
struct Slot {
  CameraSetup setup;
  std::unique_ptr<Camera> camera;
  std::uint64_t frames_before = 0, drops_before = 0;  // of its former lives
  unsigned recreated = 0, cuts = 0;
};

/// Which decoder plays `file`: the one that was asked for, else nv12slotdec, else GStreamer's.
std::string choose_decoder(const Options& options, const std::string& file, int device) {
  if (!options.decoder.empty()) {
    if (is_installed(options.decoder)) return options.decoder;
    throw std::runtime_error("no element " + options.decoder + " here");
  }
  if (is_installed(kSlotDecoder)) return kSlotDecoder;
  std::string found = find_decoder(file, device);
  if (found.empty()) {
    throw std::runtime_error("no decoder for " + file + "; install gstreamer1.0-libav");
  }
  return found;
}

class Demo {
 public:
  /// Plays the cameras of `network`, or the files where there is none.
  Demo(const Options& options, const std::vector<std::string>& files, int device, Network* network)
      : options_(options),
        device_(device),
        network_(network),
        engine_(options.cameras, milliseconds(options.hold_ms), options.seed) {
    for (unsigned i = 0; i < options.cameras; ++i) {
      Slot slot;
      slot.setup.name = fmt::format("cam{}", i);
      if (network != nullptr) {
        slot.setup.uri = network->uri(i);
        slot.setup.decoder = kSlotDecoder;
      } else {
        slot.setup.file = files.at(i % files.size());
        slot.setup.decoder = choose_decoder(options, slot.setup.file, device);
      }
      slot.setup.device = device;
      slot.setup.paced = !options.fast;
      cameras_.push_back(std::move(slot));
    }
  }

  void run() {
    if (options_.decoder.empty() && !decodes_into_slots()) {
      fmt::print("demo: {} was not built, for want of FFmpeg's libraries: decoding with {}\n",
                 kSlotDecoder, cameras_.front().setup.decoder);
    }
    fmt::print("demo: {}\n", cameras_.front().setup.launch());
    for (unsigned i = 0; i < cameras_.size(); ++i) start(i);
    const auto begin = steady_clock::now();
    const auto end = begin + duration<double>(options_.seconds);
    const auto warm = begin + duration<double>(std::min(3.0, options_.seconds / 2));
    const auto every = [](double seconds) {
      return std::chrono::duration_cast<steady_clock::duration>(duration<double>(seconds));
    };
    auto next = begin + every(options_.recreate_every);
    auto next_cut = begin + every(options_.cut_every);
    // A camera needs a while to come back, with a key picture a second.
    const auto last_cut = end - duration<double>(kComeBack);
    unsigned victim = 0;
    unsigned next_to_cut = options_.cameras / 2;  // another than is re-created then
    bool is_warm = false;
    for (auto now = begin; now < end && interrupted == 0; now = steady_clock::now()) {
      if (!is_warm && now >= warm) {
        is_warm = true;
        allocated_warm_ = allocated();
      }
      if (options_.recreate_every > 0 && now >= next) {
        recreate(victim);
        victim = (victim + 1) % options_.cameras;
        next += every(options_.recreate_every);
      }
      if (network_ != nullptr && options_.cut_every > 0 && now >= next_cut && now < last_cut) {
        network_->cut(next_to_cut);
        ++cameras_[next_to_cut].cuts;
        next_to_cut = (next_to_cut + 1) % options_.cameras;
        next_cut += every(options_.cut_every);
      }
      for (Slot& slot : cameras_) {
        if (const std::string text = slot.camera->poll(); !text.empty()) {
          throw std::runtime_error(slot.setup.name + ": " + text);
        }
        note_decoding(slot);
      }
      display_.update(lines());
      std::this_thread::sleep_for(milliseconds(20));
    }
    if (!is_warm) allocated_warm_ = allocated();
    display_.end();
    if (interrupted == 0 && network_ != nullptr) wait_until_all_play();
    for (unsigned i = 0; i < cameras_.size(); ++i) stop(i);
    engine_.finish();
  }

  /// Prints what was seen. Returns whether everything was as it should be.
  bool summarize() {
    const EngineCounts counts = engine_.counts();
    std::sort(stop_ms_.begin(), stop_ms_.end());
    const double p50 = stop_ms_.empty() ? 0 : stop_ms_[stop_ms_.size() / 2];
    const double slowest = stop_ms_.empty() ? 0 : stop_ms_.back();
    std::uint64_t frames = 0, drops = 0;
    unsigned recreated = 0, cuts = 0;
    std::string problem = !problem_.empty() ? problem_ : counts.first_fault;
    for (const Slot& slot : cameras_) {
      frames += slot.frames_before;
      drops += slot.drops_before;
      recreated += slot.recreated;
      cuts += slot.cuts;
      if (slot.frames_before == 0) problem = slot.setup.name + " gave no frame";
    }
    unsigned active = 0, quarantined = 0;
    for (const nv12slot::Domain domain : pool().domains()) {
      active += pool().stats(domain).active;
      quarantined += pool().stats(domain).quarantined;
    }
    if (problem.empty() && active > 0) problem = fmt::format("{} slots were never let go", active);
    if (problem.empty() && quarantined > 0) problem = fmt::format("{} slots failed", quarantined);
    const std::uint64_t allocated_in_all = allocated();

    fmt::print("\n");
    for (const std::string& line : pool_lines()) fmt::print("{}\n", line);
    const auto row = [](const char* what, const std::string& value) {
      fmt::print("{:<44} {:>12}\n", what, value);
    };
    row("frames played", std::to_string(frames));
    row("frames dropped because no slot was free", std::to_string(drops));
    row("frames held and checked", std::to_string(counts.checked));
    row("  changed while they were held", std::to_string(counts.changed));
    row("  outlived their camera", std::to_string(counts.outlived));
    row("cameras re-created", std::to_string(recreated));
    row("  frames held at that moment", std::to_string(held_across_));
    if (network_ != nullptr) {
      row("connections cut", std::to_string(cuts));
      row("  cameras came back by themselves", std::to_string(reconnects_));
      row("  without frames, longest",
          fmt::format("{:.2f} s", duration<double>(longest_outage_).count()));
    }
    row("slots allocated", std::to_string(allocated_in_all));
    row("  after warming up", std::to_string(allocated_in_all - allocated_warm_));
    if (decodes_into_slots()) {
      row("decoders opened", std::to_string(decoders_opened_));
      row("  found open, left by an earlier camera", std::to_string(decoders_reused_));
    }
    row("taking a camera down, median", fmt::format("{:.1f} ms", p50));
    row("taking a camera down, slowest", fmt::format("{:.1f} ms", slowest));
    fmt::print("{}\n", problem.empty() ? "demo: all is well" : "demo: WRONG: " + problem);

    if (!options_.json.empty()) {
      std::ofstream(options_.json)
          << nlohmann::json{{"ok", problem.empty()},
                            {"problem", problem},
                            {"cameras", options_.cameras},
                            {"device", device_},
                            {"decoder", cameras_.front().setup.decoder},
                            {"paths", paths_},
                            {"decoders_opened", decoders_opened_},
                            {"decoders_reused", decoders_reused_},
                            {"frames", frames},
                            {"drops", drops},
                            {"checked", counts.checked},
                            {"changed", counts.changed},
                            {"outlived", counts.outlived},
                            {"recreated", recreated},
                            {"held_across", held_across_},
                            {"cuts", cuts},
                            {"reconnects", reconnects_},
                            {"longest_outage_s", duration<double>(longest_outage_).count()},
                            {"slots_allocated", allocated_in_all},
                            {"slots_allocated_warm", allocated_in_all - allocated_warm_},
                            {"stop_ms_median", p50},
                            {"stop_ms_max", slowest}}
                 .dump(2)
          << '\n';
    }
    return problem.empty();
  }

 private:
  static constexpr double kComeBack = 2.5;  // seconds

  static nv12slot::SlotPool& pool() { return *nv12slot::Process::get().pool; }

  static std::uint64_t allocated() {
    std::uint64_t sum = 0;
    for (const nv12slot::Domain domain : pool().domains()) sum += pool().stats(domain).allocated;
    return sum;
  }

  void start(unsigned i) {
    cameras_[i].camera = std::make_unique<Camera>(
        cameras_[i].setup, [this, i](BufferPtr buffer) { engine_.submit(i, std::move(buffer)); });
  }

  void stop(unsigned i) {
    Slot& slot = cameras_[i];
    stop_ms_.push_back(duration<double, std::milli>(slot.camera->stop()).count());
    const CameraStats stats = slot.camera->stats();
    slot.frames_before += slot.camera->frames();
    slot.drops_before += stats.drops;
    decoders_opened_ += stats.opened;
    decoders_reused_ += stats.reused;
    reconnects_ += stats.reconnects;
    longest_outage_ = std::max(longest_outage_, stats.longest_outage);
    slot.camera.reset();
  }

  void wait_until_all_play() {
    const auto until = steady_clock::now() + std::chrono::seconds(15);
    for (const Slot& slot : cameras_) {
      while (slot.camera->state() != "playing" && steady_clock::now() < until) {
        std::this_thread::sleep_for(milliseconds(20));
      }
      if (slot.camera->state() != "playing" && problem_.empty()) {
        problem_ = slot.setup.name + " did not come back";
      }
    }
  }

  bool decodes_into_slots() const { return cameras_.front().setup.decoder == kSlotDecoder; }

  /// Says what decodes and why, once for all cameras of which the same is true.
  void note_decoding(const Slot& slot) {
    const std::string& text = slot.camera->decoding();
    if (text.empty() || !decodings_.insert(text).second) return;
    display_.note(fmt::format("demo: {}: {}, {}", slot.setup.name, slot.setup.decoder, text));
  }

  void recreate(unsigned i) {
    stop(i);
    held_across_ += engine_.camera_destroyed(i);
    start(i);
    ++cameras_[i].recreated;
  }

  std::vector<CameraLine> lines() {
    std::vector<CameraLine> lines;
    for (unsigned i = 0; i < cameras_.size(); ++i) {
      const Slot& slot = cameras_[i];
      const CameraStats stats = slot.camera->stats();
      if (stats.path != "none") paths_.insert(stats.path);
      lines.push_back({slot.setup.name, slot.camera->state(), stats.path,
                       slot.frames_before + slot.camera->frames(), slot.drops_before + stats.drops,
                       engine_.held(i), slot.recreated});
    }
    return lines;
  }

  const Options& options_;
  const int device_;
  Network* const network_;
  Display display_;
  std::string problem_;
  std::uint64_t reconnects_ = 0;
  std::chrono::nanoseconds longest_outage_{};
  std::vector<double> stop_ms_;
  std::uint64_t held_across_ = 0, allocated_warm_ = 0;
  std::uint64_t decoders_opened_ = 0, decoders_reused_ = 0;
  std::set<std::string> decodings_, paths_;  // that were seen
  Engine engine_;
  std::vector<Slot> cameras_;  // after the engine: their callbacks use it
};

int run(const Options& options) {
  const int device = options.device.value_or(nv12slot::cuda_device_count() > 0 ? 0 : -1);
  std::optional<soak::TemporaryFolder> folder;
  std::vector<std::string> files = options.files;
  // Cameras have their own speed; files are for everything else.
  const bool plays_cameras = files.empty() && options.decoder.empty() && !options.fast;
  if (plays_cameras && is_installed(kSlotSource)) {
    folder.emplace("nv12slot-demo");
    fmt::print("demo: encoding {} cameras' pictures, {} x {}, and serving them by RTSP\n",
               options.cameras, options.encode.width, options.encode.height);
    std::fflush(stdout);
    Network network(options.cameras, options.encode, folder->path());
    Demo demo(options, files, device, &network);
    demo.run();
    return demo.summarize() ? 0 : 1;
  }
  if (files.empty()) {
    folder.emplace("nv12slot-demo");
    EncodeSetup setup = options.encode;
    setup.streams = std::min(options.cameras, setup.streams);
    files = encode_streams(folder->path(), setup, [&](unsigned done) {
      fmt::print("demo: encoded stream {} of {}, {} s of H.264, {} x {}\n", done, setup.streams,
                 setup.seconds, setup.width, setup.height);
      std::fflush(stdout);
    });
  }
  for (const std::string& file : files) {
    if (!std::filesystem::exists(file)) throw std::runtime_error("no such file: " + file);
  }
  Demo demo(options, files, device, nullptr);
  demo.run();
  return demo.summarize() ? 0 : 1;
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) {
  if (const std::optional<int> status = demo::serve_if_asked(argc, argv)) return *status;
  demo::Options options;
  CLI::App app(
      "Plays cameras into nv12slot, cuts their connections and re-creates them while their frames "
      "are held.");
  app.add_option(
      "files", options.files,
      "H.264 in .mp4 or .mov, or raw .264 or .265, to play in place of cameras; without any, "
      "cameras are simulated and served by RTSP on loopback");
  app.add_option("--seconds", options.seconds, "how long to run")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  app.add_option("--cameras", options.cameras, "how many cameras")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--hold", options.hold_ms, "hold each frame for up to this many milliseconds")
      ->check(CLI::Range(0, 60000))
      ->capture_default_str();
  app.add_option("--recreate-every", options.recreate_every,
                 "destroy and re-create a camera every so many seconds; 0: never")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--cut-every", options.cut_every,
                 "cut a camera's connection every so many seconds; 0: never")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--device", options.device, "CUDA device of the slots; -1: host memory")
      ->check(CLI::Range(-1, 31))
      ->default_str("0 where there is one, else -1");
  app.add_option("--decoder", options.decoder,
                 "the element that decodes, such as nvh264dec or avdec_h264, followed by "
                 "nv12slotcopy unless it is nv12slotdec, of files")
      ->default_str("nv12slotdec where it was built");
  app.add_flag("--fast", options.fast, "play files as fast as slots come free, not at their speed");
  app.add_option("--seed", options.seed, "of the hold times")->capture_default_str();
  app.add_option("--json", options.json, "write the summary to this file");
  CLI11_PARSE(app, argc, argv);

  std::signal(SIGINT, [](int) { demo::interrupted = 1; });
  std::signal(SIGTERM, [](int) { demo::interrupted = 1; });
  gst_init(nullptr, nullptr);
  try {
    return demo::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "demo: {}\n", error.what());
    return 1;
  }
}
