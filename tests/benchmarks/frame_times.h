// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>

#include "bars.h"

namespace nv12slot::bench {

/// What a benchmark of cameras is at: samples are kept apart by it.
enum class Phase { kWarm, kQuiet, kStartOver, kStorm };

/// The times of one camera's frames: in its decoder, from the sink pad to the source pad, told
/// apart by presentation time; and from one to the next at the sink, after it has synchronized.
/// Outlives the pipeline that it is attached to.
class FrameTimes {
 public:
  struct Times {
    Samples in_decoder;  ///< milliseconds
    Samples gap;         ///< milliseconds
  };

  /// Samples belong to the phase in which they end.
  explicit FrameTimes(const std::atomic<Phase>& phase) : phase_(phase) {}
  FrameTimes(const FrameTimes&) = delete;
  FrameTimes& operator=(const FrameTimes&) = delete;

  /// To a pipeline, before it plays, with elements named "decoder" and "sink" (a fakesink).
  void attach(GstElement* pipeline);
  /// After the pipeline has ended.
  [[nodiscard]] const Times& of(Phase phase) const {
    return times_[static_cast<std::size_t>(phase)];
  }

 private:
  using Clock = std::chrono::steady_clock;

  static GstPadProbeReturn on_input(GstPad*, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn on_output(GstPad*, GstPadProbeInfo* info, gpointer self);
  static void on_handoff(GstElement*, GstBuffer* buffer, GstPad*, gpointer self);

  const std::atomic<Phase>& phase_;
  std::mutex mutex_;  // guards what follows: input and output may be on two threads
  std::map<GstClockTime, Clock::time_point> came_in_;
  Clock::time_point last_{};
  std::array<Times, 4> times_;
};

}  // namespace nv12slot::bench
