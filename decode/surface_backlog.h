// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <deque>
#include <optional>

#include "ffmpeg.h"
#include "nv12slot/fence.h"
#include "nv12slot/mutex.h"

namespace nv12slot::decode {

/// The frames of one decoder that were read for the last time but not given back yet. Each pins a
/// surface of the decoder's, so there are never more than kMost. Shared by the decoder and the
/// FrameReaper; any thread. Lock: a leaf, not held while the driver is called.
class SurfaceBacklog {
 public:
  /// Frames that wait at most. Each has surfaces of its own (set_surfaces()), which cost device
  /// memory.
  static constexpr std::size_t kMost = 2;

  explicit SurfaceBacklog(Device& device) : device_(device) {}
  /// Waits for what still reads.
  ~SurfaceBacklog();
  SurfaceBacklog(const SurfaceBacklog&) = delete;
  SurfaceBacklog& operator=(const SurfaceBacklog&) = delete;

  /// Takes a frame that is read until `read`; without one, nobody reads it any more. Where kMost
  /// wait already, the oldest is given back here, after a wait for its copy where need be. Returns
  /// how many wait now.
  std::size_t add(FramePtr frame, std::optional<Fence> read) NV12SLOT_EXCLUDES(mutex_);

  /// Gives back those that nobody reads any more; with `wait`, all, and returns once those that
  /// other threads are giving back are gone too. Returns how many still wait.
  std::size_t reap(bool wait = false) NV12SLOT_EXCLUDES(mutex_);

  [[nodiscard]] std::size_t size() const NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] Device& device() const { return device_; }

 private:
  struct Entry {
    FramePtr frame;
    std::optional<Fence> read;
  };
  /// The caller has it in its hands until give_back() or put_back().
  std::optional<Entry> take_oldest() NV12SLOT_EXCLUDES(mutex_);
  void give_back(Entry entry) NV12SLOT_EXCLUDES(mutex_);
  std::size_t put_back(Entry entry) NV12SLOT_EXCLUDES(mutex_);
  /// Whether another thread put one back.
  [[nodiscard]] bool wait_for_others() NV12SLOT_EXCLUDES(mutex_);

  Device& device_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Entry> entries_ NV12SLOT_GUARDED_BY(mutex_);  // oldest first
  unsigned in_hands_ NV12SLOT_GUARDED_BY(mutex_) = 0;
};

}  // namespace nv12slot::decode
