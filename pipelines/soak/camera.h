// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gst_raii.h"
#include "processing_time.h"

namespace soak {

/// What a camera is made of.
struct CameraSetup {
  std::string name;  ///< source-name of its frames
  std::string uri;
  int device = -1;
  bool reader_promises = false;  ///< its consumers wait for and fence every frame
  /// More properties of nv12slotsrc, as text: "packet-timeout", "1000000000".
  std::vector<std::pair<std::string, std::string>> properties;
};

/// What nv12slotsrc counts of one life of a camera.
struct CameraCounts {
  std::string status = "none", path = "none";
  std::uint64_t reconnects = 0, outages = 0, dropped = 0;
  std::uint64_t decoders_opened = 0, decoders_reused = 0;
  std::uint64_t teardowns_pending = 0, teardowns_abandoned = 0;
};

/// One life of a camera: a pipeline of its own, nv12slotsrc and an appsink. Made playing; the
/// destructor takes it down, whatever its frames are used for elsewhere. The main thread;
/// `on_frame` is called on the camera's streaming thread and never after stop().
class Camera {
 public:
  using OnFrame = std::function<void(GstBuffer*)>;

  /// Throws std::runtime_error for what cannot be: no such element or property, an unusable URI.
  /// `processing` outlives the camera.
  Camera(const CameraSetup& setup, ProcessingTime& processing, OnFrame on_frame);
  ~Camera() { stop(); }
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;

  /// Takes the pipeline to NULL. Returns how long that took; the second time nothing.
  std::chrono::nanoseconds stop();

  [[nodiscard]] CameraCounts counts() const;
  /// The error that the pipeline ended with since the last call; empty: none.
  [[nodiscard]] std::string take_error();

 private:
  static GstFlowReturn on_sample(GstElement* sink, gpointer self);
  static void on_element(GstBin*, GstBin*, GstElement* element, gpointer processing);

  OnFrame on_frame_;
  Ref<GstElement> pipeline_, source_;
  Ref<GstBus> bus_;
  bool is_stopped_ = false;
};

}  // namespace soak
