// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "camera_state.h"
#include "cameraconnection.h"

namespace nv12slot::gst {

/// A camera while it is to play: does what CameraState says, with connections that come and go, on
/// a thread of its own ("nv12slot-camera") that sleeps until a watchdog's time and never waits for
/// a source. So no camera waits for another, nor the application for any.
///
/// The owner keeps the element and its feed alive until stop() has returned. Locks: one mutex, then
/// that of the feed or of a connection; nothing is called back with it held.
class CameraRun : public std::enable_shared_from_this<CameraRun> {
 public:
  struct Change {
    camera::Status status = camera::Status::kStopped;
    camera::Fault fault = camera::Fault::kNone;  ///< why, if kWaiting or kFailed
    std::string text;                            ///< what happened, and what to do
    unsigned attempt = 0;
    Duration retry_in{};
  };

  struct Setup {
    GstElement* element = nullptr;  ///< the nv12slotsrc
    GstElement* feed = nullptr;
    std::shared_ptr<EncodedQueue> queue;
    CapsPtr supported;  ///< encoded formats that can be decoded
    camera::CameraSettings settings;
    std::function<CameraConnection::Request()> request;  ///< all but its number
    Duration teardown_timeout{};
    /// On the camera's thread. It may block, and may stop the element.
    std::function<void(const Change&)> changed;
  };

  struct Snapshot {
    camera::Status status = camera::Status::kStopped;
    camera::CameraStats stats;
    std::uint64_t packets = 0, bytes = 0;
    std::uint64_t teardowns_pending = 0;    ///< connections being taken down
    std::uint64_t teardowns_abandoned = 0;  ///< that were not down in teardown_timeout
  };

  /// nullptr where the process has no thread left.
  [[nodiscard]] static std::shared_ptr<CameraRun> start(Setup setup);
  ~CameraRun();
  CameraRun(const CameraRun&) = delete;
  CameraRun& operator=(const CameraRun&) = delete;

  /// Gives the connection up; waits at most teardown_timeout for sources to be down, and not at all
  /// when called from `changed`. The queue takes nothing more. Once.
  void stop();

  /// A first frame of a connection came, or something else that poll() should see.
  void wake();
  /// What was received so far cannot be used: as if the connection had failed.
  void fault(camera::Fault fault, std::string text);
  /// All frames of that connection are through the decoder, and no more come.
  void ended(std::uint64_t connection);
  [[nodiscard]] Snapshot snapshot();

 private:
  using Action = camera::CameraState::Action;

  struct News {
    std::uint64_t connection;  // that it is of
    camera::Fault fault;       // kNone: it ended
    std::string text;
  };
  struct Closing {
    std::shared_ptr<CameraConnection> connection;
    TimePoint deadline;
  };
  struct Private {};

 public:
  CameraRun(Private, Setup setup);

 private:
  void run();
  [[nodiscard]] camera::Seen seen() NV12SLOT_REQUIRES(mutex_);
  [[nodiscard]] Action next_action(TimePoint now) NV12SLOT_REQUIRES(mutex_);
  void perform(Action action);
  void connect();
  void disconnect(EncodedQueue::Item::Kind kind);
  void sleep(MutexLock& lock, TimePoint now) NV12SLOT_REQUIRES(mutex_);
  void look_after_closing(TimePoint now) NV12SLOT_REQUIRES(mutex_);
  [[nodiscard]] std::optional<Change> change() NV12SLOT_REQUIRES(mutex_);
  void post(News news);

  const Setup setup_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  camera::CameraState state_ NV12SLOT_GUARDED_BY(mutex_);
  std::deque<News> news_ NV12SLOT_GUARDED_BY(mutex_);
  std::shared_ptr<CameraConnection> connection_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<Closing> closing_ NV12SLOT_GUARDED_BY(mutex_);
  std::uint64_t number_ NV12SLOT_GUARDED_BY(mutex_) = 0;  // of the newest connection
  std::uint64_t packets_ NV12SLOT_GUARDED_BY(mutex_) = 0, bytes_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  std::uint64_t abandoned_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  std::string text_ NV12SLOT_GUARDED_BY(mutex_);  // of the last fault
  camera::Status told_ NV12SLOT_GUARDED_BY(mutex_) = camera::Status::kStopped;
  std::uint64_t told_attempts_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  bool woken_ NV12SLOT_GUARDED_BY(mutex_) = false;
  bool quit_ NV12SLOT_GUARDED_BY(mutex_) = false;
};

}  // namespace nv12slot::gst
