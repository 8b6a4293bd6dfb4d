// SPDX-License-Identifier: LGPL-2.1-or-later
#include "storm.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "../gpu/gpu_load.h"
#include "../gpu/have_gpu.h"
#include "held_frames.h"
#include "machine.h"
#include "nv12slot/process.h"
#include "player.h"

namespace nv12slot::bench {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::size_t kHeld = 4;
constexpr nanoseconds kFrameTime{GST_SECOND / 30};
constexpr auto kBetween = std::chrono::milliseconds(500);
constexpr int kMoments = 16;
constexpr int kWarmRecreations = 3;

/// A consumer and the camera that it has at present. What it holds outlives each camera, and goes
/// as frames of the next one come.
struct Consumer {
  explicit Consumer(const std::atomic<Phase>& phase) : times(phase) {}

  HeldFrames held{kHeld};
  FrameTimes times;
  std::unique_ptr<Player> camera;
};

class Storm {
 public:
  explicit Storm(const StormSettings& settings) : settings_(settings) {
    const char* feed = std::getenv("NV12SLOT_FEED");
    if (feed != nullptr && std::string_view(feed) == "sink") pace_ = Player::Pace::kSink;
    if (gpu::have_gpu()) {
      load_.emplace(*Process::get().pool->device(0).value(), gpu::GpuLoad::Kind::kSome,
                    settings.kernel);
    }
  }

  StormFigures run();

 private:
  std::unique_ptr<Player> make_camera(Consumer& consumer, nanoseconds phase);
  void recreate();
  /// Every kBetween for so long, or until a camera has failed.
  template <typename Do>
  void repeat(std::chrono::duration<double> duration, Do what);
  Samples take_steps();

  const StormSettings& settings_;
  Player::Pace pace_ = Player::Pace::kLive;
  std::optional<gpu::GpuLoad> load_;
  std::atomic<Phase> phase_{Phase::kWarm};
  std::vector<std::unique_ptr<Consumer>> consumers_;
  StormFigures figures_;
};

std::unique_ptr<Player> Storm::make_camera(Consumer& consumer, nanoseconds phase) {
  return std::make_unique<Player>(Player::Settings{
      .stream = &stream(),
      .decode = settings_.decode,
      .pace = pace_,
      .phase = phase,
      .shares_context = settings_.shares_context,
      .prepare =
          [&consumer](GstElement* pipeline) {
            consumer.times.attach(pipeline);
            GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
            g_signal_connect(
                sink, "handoff",
                G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, gpointer held) {
                  static_cast<HeldFrames*>(held)->add(buffer);
                }),
                &consumer.held);
            gst_object_unref(sink);
          },
  });
}

void Storm::recreate() {
  Consumer& consumer = *consumers_.front();
  figures_.gone.add(to_ms(consumer.camera->stop()));
  consumer.camera = make_camera(consumer, {});
  if (!consumer.camera->wait_for(1)) {
    figures_.failed = true;
    return;
  }
  figures_.first_frame.add(to_ms(consumer.camera->first_frame_after()));
}

template <typename Do>
void Storm::repeat(std::chrono::duration<double> duration, Do what) {
  const auto end = steady_clock::now() + duration;
  auto next = steady_clock::now();
  for (int i = 0; !figures_.failed && next < end; ++i) {
    std::this_thread::sleep_until(next);
    what();
    // A camera's pictures come at multiples of the frame time after it was made. Each time at
    // another moment between two of them: the decoder may be idle then, or at work.
    next = std::max(next + kBetween + kFrameTime * (i % kMoments) / kMoments, steady_clock::now());
  }
}

Samples Storm::take_steps() {
  Samples steps;
  if (load_) {
    for (const nanoseconds step : load_->take_steps()) steps.add(to_ms(step));
  }
  return steps;
}

StormFigures Storm::run() {
  const auto count =
      std::max<std::size_t>(2, static_cast<std::size_t>(setting("NV12SLOT_CAMERAS", 16)));
  for (std::size_t i = 0; i < count; ++i) {
    consumers_.push_back(std::make_unique<Consumer>(phase_));
    consumers_.back()->camera = make_camera(*consumers_.back(), kFrameTime * i / count);
  }
  for (const auto& consumer : consumers_) {
    if (!consumer->camera->wait_for(30)) figures_.failed = true;
  }
  // What grows once in a process has grown then: threads, heaps, slots.
  for (int i = 0; i < kWarmRecreations && !figures_.failed; ++i) {
    recreate();
    std::this_thread::sleep_for(kBetween);
  }
  figures_.gone = {};
  figures_.first_frame = {};
  static_cast<void>(take_steps());

  phase_ = Phase::kQuiet;
  if (!figures_.failed) std::this_thread::sleep_for(settings_.quiet);
  figures_.quiet_step = take_steps();
  phase_ = Phase::kStartOver;
  repeat(settings_.start_over, [&] { consumers_.front()->camera->start_over(); });
  static_cast<void>(take_steps());
  phase_ = Phase::kStorm;
  repeat(settings_.storm, [&] {
    recreate();
    if (settings_.measures_memory) {
      figures_.device_memory = std::max(figures_.device_memory, device_memory_since());
    }
  });
  figures_.storm_step = take_steps();
  phase_ = Phase::kWarm;
  load_.reset();  // or taking all of them down takes seconds

  for (std::size_t i = 0; i < count; ++i) {
    consumers_[i]->camera->stop();
    if (i == 0) continue;
    const auto add = [&](FrameTimes::Times& all, Phase phase) {
      const FrameTimes::Times& times = consumers_[i]->times.of(phase);
      all.in_decoder.add(times.in_decoder);
      all.gap.add(times.gap);
    };
    add(figures_.quiet, Phase::kQuiet);
    add(figures_.start_over, Phase::kStartOver);
    add(figures_.storm, Phase::kStorm);
  }
  return figures_;
}

}  // namespace

StormFigures run_storm(const StormSettings& settings) {
  return Storm(settings).run();
}

}  // namespace nv12slot::bench
