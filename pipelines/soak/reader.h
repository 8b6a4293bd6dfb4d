// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gpu_reads.h"
#include "gst_raii.h"
#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"
#include "record.h"

namespace soak {

struct ReaderSettings {
  std::vector<std::string> cameras;  ///< their names
  unsigned hold = 4;                 ///< frames of each camera that it keeps
  unsigned extra = 8;  ///< more of them while warming up, so that the pool has slots to spare later
  std::chrono::milliseconds late{25};   ///< how long after letting a frame go it may still read it
  std::chrono::milliseconds kernel{5};  ///< on a device, how long the last read of a frame takes
  unsigned seed = 1;
};

/// A consumer that holds frames and reads them late. Of each camera it keeps the last few frames,
/// and one for kKeep, through whatever happens to the camera meanwhile. Each is summed up when it
/// comes and again when it is let go. Half of the frames it lets go first and reads then, without a
/// fence, as a kernel in flight does and as the pool's cooldown allows; frames of cameras whose
/// consumers promised to fence it reads in time. On the host reads are its thread's, on a device
/// they are kernels. Calls from any thread.
class Reader {
 public:
  static constexpr std::chrono::seconds kKeep{5};

  explicit Reader(const ReaderSettings& settings);
  ~Reader() { finish(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// A frame of camera number `camera`; `is_promised`: it must be fenced. Does not block.
  void submit(unsigned camera, GstBuffer* buffer, bool is_promised) NV12SLOT_EXCLUDES(mutex_);
  /// Camera number `camera` was destroyed.
  void camera_destroyed(unsigned camera) NV12SLOT_EXCLUDES(mutex_);
  /// Keeps no more extra frames.
  void end_warm_up() NV12SLOT_EXCLUDES(mutex_);
  /// Reads and lets go of everything, and ends.
  void finish() NV12SLOT_EXCLUDES(mutex_);

  [[nodiscard]] ReaderRecord record() const NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] unsigned held(unsigned camera) const NV12SLOT_EXCLUDES(mutex_);

 private:
  using Clock = std::chrono::steady_clock;
  struct FrameUnref {
    void operator()(GstNv12SlotFrame* frame) const { gst_nv12_slot_frame_unref(frame); }
  };
  using FramePtr = std::unique_ptr<GstNv12SlotFrame, FrameUnref>;

  struct Incoming {
    unsigned camera, life;
    bool is_promised;
    Ref<GstBuffer> buffer;
  };
  /// A frame from when it comes until it is judged.
  struct Held {
    unsigned camera = 0, life = 0;
    bool is_promised = false, is_late = false;
    std::uint64_t id = 0;
    int device = -1;
    GstNv12SlotPlanes planes{};
    // One of the two ways to keep a frame; neither once it is let go.
    Ref<GstBuffer> buffer;
    FramePtr frame;
    Clock::time_point until;           // of the one that is kept
    Clock::time_point released;        // let go
    Clock::time_point due;             // to be read, if late and on the host
    std::optional<unsigned> reads[2];  // on a device: under way, at its coming and at its going
    std::optional<ReadOutcome> first, last;

    [[nodiscard]] GstNv12SlotFrame* get() const;
  };
  struct PerCamera {
    std::deque<std::unique_ptr<Held>> ring;  // the oldest first
    std::unique_ptr<Held> kept;
  };
  struct Shared {
    unsigned life = 0, waiting = 0, held = 0;
  };

  void run() NV12SLOT_EXCLUDES(mutex_);
  void take(Incoming incoming, std::size_t most) NV12SLOT_EXCLUDES(mutex_);
  /// Lets the oldest go, or keeps it.
  void shift(PerCamera& camera);
  void let_go(std::unique_ptr<Held> held);
  void end_keeping(Clock::time_point now, bool at_once);
  /// Judges frames whose reads are done. Returns when the next is due; nothing where none is.
  std::optional<Clock::time_point> see_to_reads(Clock::time_point now);
  void judge(const Held& held, Clock::time_point now) NV12SLOT_EXCLUDES(mutex_);
  void fault(const std::string& text) NV12SLOT_REQUIRES(mutex_);
  GpuReads& gpu(int device);

  const ReaderSettings settings_;
  // Of the thread alone.
  std::minstd_rand random_;
  std::vector<PerCamera> frames_;
  std::deque<std::unique_ptr<Held>> under_way_;  // let go, not judged
  std::unique_ptr<GpuReads> gpu_;

  mutable nv12slot::Mutex mutex_;
  nv12slot::CondVar changed_;
  std::deque<Incoming> incoming_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<Shared> shared_ NV12SLOT_GUARDED_BY(mutex_);  // by camera
  ReaderRecord record_ NV12SLOT_GUARDED_BY(mutex_);
  bool is_warm_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool is_stopping_ NV12SLOT_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// The sum of a picture on the host.
[[nodiscard]] std::uint64_t host_sum(const GstNv12SlotPlanes& planes);

}  // namespace soak
