// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"
#include "surface_backlog.h"

namespace nv12slot::decode {

/// The thread that gives frames back to their decoders, so that no camera's thread does: one for
/// each device, started at the first frame. It looks every kInterval while frames wait, and at once
/// when a decoder is about to run out. Never destroyed, except by tests. Any thread.
class FrameReaper {
 public:
  static constexpr Duration kInterval = std::chrono::milliseconds(50);
  /// Frames of one decoder for which it looks at once.
  static constexpr std::size_t kUrgent = 2;

  explicit FrameReaper(Clock& clock) : clock_(clock) {}
  ~FrameReaper();
  FrameReaper(const FrameReaper&) = delete;
  FrameReaper& operator=(const FrameReaper&) = delete;

  /// The process's reaper for a device.
  [[nodiscard]] static FrameReaper& of(const Device& device);

  /// Gives `frame` back once `read` is complete (at once without one). Blocks only where the
  /// backlog is full (SurfaceBacklog::add).
  void give(const std::shared_ptr<SurfaceBacklog>& backlog, FramePtr frame,
            std::optional<Fence> read) NV12SLOT_EXCLUDES(mutex_);

 private:
  void run() NV12SLOT_EXCLUDES(mutex_);

  Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::weak_ptr<SurfaceBacklog>> waiting_ NV12SLOT_GUARDED_BY(mutex_);
  bool urgent_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool stopping_ NV12SLOT_GUARDED_BY(mutex_) = false;
  std::thread thread_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace nv12slot::decode
