// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "stream.h"

namespace nv12slot::bench {

/// One pipeline, `appsrc ! h264parse ! DECODE ! fakesink name=sink`, which plays a stream from
/// memory over and over, pushed by a thread of its own. Plays from construction on; stop() or the
/// destructor ends it. The stream outlives it. The methods: one thread at a time.
class Player {
 public:
  enum class Pace {
    kFast,  ///< as fast as it is taken; the sink does not synchronize
    kLive,  ///< as a camera: each picture is pushed when it is due, 30 a second; the sink
            ///< synchronizes
    kSink,  ///< as from a file: pushed as fast as it is taken by a sink that synchronizes, 30 a
            ///< second
  };
  struct Settings {
    const Stream* stream = nullptr;
    std::string decode = {};  ///< elements between the parser and the sink
    Pace pace = Pace::kFast;
    std::uint64_t pictures = 0;           ///< then the stream ends; 0: it never does
    std::chrono::nanoseconds phase = {};  ///< how long after the start the first picture is due
    bool shares_context = false;          ///< the decoder has the slots' CUDA context
    /// Called with the pipeline before it plays, to put probes into it.
    std::function<void(GstElement*)> prepare = {};
  };

  explicit Player(const Settings& settings);
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  /// Blocks until so many frames have come to the sink. False, with the reason on standard error,
  /// on an error of the pipeline, at the end of the stream, or after 60 s.
  bool wait_for(std::uint64_t frames);
  /// Blocks until the end of the stream. False like that.
  bool wait_for_end();
  /// Frames that have come to the sink, whether it has rendered them or not.
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  /// From the beginning of the construction to the first frame at the sink; there was one.
  [[nodiscard]] std::chrono::nanoseconds first_frame_after() const;

  /// The stream from its first picture, at once, as if a camera had sent a key picture early. Pace
  /// kLive only.
  void start_over();
  /// Takes the pipeline down and frees it, once; how long set_state(NULL) and unref took.
  std::chrono::nanoseconds stop();

 private:
  void feed();
  /// False where the stream is to end or to start over before that.
  bool wait_until_due(std::chrono::steady_clock::time_point due);
  bool has_failed();

  const std::chrono::steady_clock::time_point created_ = std::chrono::steady_clock::now();
  const Settings settings_;
  GstElement* pipeline_ = nullptr;
  GstElement* source_ = nullptr;
  GstBus* bus_ = nullptr;
  std::atomic<std::uint64_t> frames_{0};
  std::atomic<std::int64_t> first_frame_ns_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;          // guarded by mutex_
  bool is_to_start_over_ = false;  // guarded by mutex_
  std::thread feeder_;
};

}  // namespace nv12slot::bench
