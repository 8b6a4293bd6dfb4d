// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "camera.h"
#include "health.h"
#include "processing_time.h"
#include "proxy.h"
#include "record.h"

namespace soak {

/// A camera over all its lives, and what stands between it and its server. The main thread, where
/// nothing else is said.
class Place {
 public:
  using Now = std::function<Seconds()>;
  using OnFrame = std::function<void(GstBuffer*)>;  // on the camera's thread

  /// `proxy` may be empty. `now` and `on_frame` are called from any thread.
  Place(CameraSetup setup, std::unique_ptr<Proxy> proxy, Seconds gap_limit, Now now,
        OnFrame on_frame);

  /// Makes the camera, and ends it. Between the two it is there.
  void start();
  void stop();

  [[nodiscard]] const std::string& name() const { return setup_.name; }
  [[nodiscard]] Proxy* proxy() { return proxy_.get(); }
  [[nodiscard]] Health& health() { return health_; }
  /// The number of the connection that frames come through; of a camera without a proxy, of its
  /// life. Any thread.
  [[nodiscard]] unsigned connection() const;

  /// What the element says now, with what earlier lives counted.
  [[nodiscard]] CameraCounts counts();
  [[nodiscard]] std::uint64_t frames() const { return frames_.load(); }
  /// Closes an interval of sampling.
  [[nodiscard]] CameraSample sample();
  /// Errors that the pipeline ended with since the last call, at most one.
  [[nodiscard]] std::string take_error();
  /// Without the series.
  [[nodiscard]] CameraRecord record();

 private:
  void on_frame(GstBuffer* buffer) NV12SLOT_EXCLUDES(mutex_);
  void add(const CameraCounts& counts);

  const CameraSetup setup_;
  const std::unique_ptr<Proxy> proxy_;
  const Now now_;
  const OnFrame on_frame_;
  Health health_;
  ProcessingTime processing_;
  std::atomic<std::uint64_t> frames_{0}, corrupted_{0};
  std::atomic<unsigned> lives_{0};

  nv12slot::Mutex mutex_;
  Seconds last_frame_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  Seconds longest_gap_ NV12SLOT_GUARDED_BY(mutex_) = 0;  // that ended in this interval
  std::optional<Seconds> first_frame_ NV12SLOT_GUARDED_BY(mutex_);

  CameraCounts before_;  // of earlier lives
  std::set<std::string> paths_;
  std::uint64_t frames_when_sampled_ = 0;
  CameraRecord record_;
  std::unique_ptr<Camera> camera_;  // last: its thread uses all of the above
};

}  // namespace soak
