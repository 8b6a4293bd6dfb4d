// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/nv12slot/nv12slot.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "demo_camera.h"
#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"
#include "nv12slot/result.h"

namespace demo {

/// What the engine saw so far.
struct EngineCounts {
  std::uint64_t checked = 0;       ///< frames held to their end and compared
  std::uint64_t changed = 0;       ///< of these, frames that were not the same at the end
  std::uint64_t outlived = 0;      ///< of these, frames whose camera was destroyed meanwhile
  std::uint64_t without_slot = 0;  ///< buffers that were no slot frame
  std::string first_fault;         ///< empty, or what the first thing wrong was
};

/// Stands for an inference engine: holds every frame for a random time on a thread of its own, in
/// one of the two ways a consumer can (the buffer, or only a reference to the frame), and checks
/// that the picture it lets go of is the one it was given. Calls from any thread.
class Engine {
 public:
  /// Frames are held for up to `hold`; the times follow from `seed`.
  Engine(unsigned cameras, std::chrono::milliseconds hold, unsigned seed);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Takes a frame of camera number `camera`. Does not block.
  void submit(unsigned camera, BufferPtr buffer) NV12SLOT_EXCLUDES(mutex_);

  /// Camera number `camera` was destroyed. Returns how many of its frames are held at this moment.
  unsigned camera_destroyed(unsigned camera) NV12SLOT_EXCLUDES(mutex_);

  [[nodiscard]] unsigned held(unsigned camera) const NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] EngineCounts counts() const NV12SLOT_EXCLUDES(mutex_);

  /// Checks and lets go of everything at once, and ends.
  void finish() NV12SLOT_EXCLUDES(mutex_);

 private:
  using Clock = std::chrono::steady_clock;
  struct FrameUnref {
    void operator()(GstNv12SlotFrame* frame) const { gst_nv12_slot_frame_unref(frame); }
  };
  using FramePtr = std::unique_ptr<GstNv12SlotFrame, FrameUnref>;

  /// Where pictures of a device are downloaded to.
  struct Download;

  struct Held {
    Clock::time_point until;
    unsigned camera = 0;
    unsigned generation = 0;
    std::uint64_t checksum = 0;
    std::uint64_t id = 0;
    BufferPtr buffer;  // either this
    FramePtr frame;    // or this
  };
  struct Later {
    bool operator()(const std::unique_ptr<Held>& a, const std::unique_ptr<Held>& b) const {
      return a->until > b->until;
    }
  };
  struct Incoming {
    unsigned camera;
    unsigned generation;
    BufferPtr buffer;
  };
  struct PerCamera {
    unsigned held = 0;
    unsigned generation = 0;
  };

  void run() NV12SLOT_EXCLUDES(mutex_);
  /// The checksum of frame `id`'s picture as it is now; downloads it where it is on a device.
  nv12slot::Result<std::uint64_t> checksum(std::uint64_t id);
  void take(Incoming incoming) NV12SLOT_EXCLUDES(mutex_);
  void let_go(std::unique_ptr<Held> held) NV12SLOT_EXCLUDES(mutex_);
  void fault(const std::string& text) NV12SLOT_REQUIRES(mutex_);

  const std::chrono::milliseconds hold_;
  // Of the engine's thread alone.
  std::minstd_rand random_;
  std::vector<std::unique_ptr<Held>> heap_;  // the next to let go of first, ordered by Later
  std::unique_ptr<Download> download_;

  mutable nv12slot::Mutex mutex_;
  nv12slot::CondVar changed_;
  std::queue<Incoming> incoming_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<PerCamera> cameras_ NV12SLOT_GUARDED_BY(mutex_);
  EngineCounts counts_ NV12SLOT_GUARDED_BY(mutex_);
  bool stopping_ NV12SLOT_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace demo
