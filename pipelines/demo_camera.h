// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace demo {

struct GstUnref {
  void operator()(void* object) const { gst_object_unref(object); }
};
struct BufferUnref {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
};
using BufferPtr = std::unique_ptr<GstBuffer, BufferUnref>;

/// The decoder that puts its pictures into slots by itself; the others need nv12slotcopy for that.
inline constexpr const char* kSlotDecoder = "nv12slotdec";
/// The one that plays a camera and brings it back, with that decoder in it.
inline constexpr const char* kSlotSource = "nv12slotsrc";

/// What a camera plays, and how.
struct CameraSetup {
  std::string name;            ///< source-name of its slot frames
  std::string uri;             ///< of a camera for nv12slotsrc; empty: the file is played
  std::string file;            ///< .mp4 or .mov with H.264, or a raw H.264 or H.265 stream
  std::string decoder;         ///< a factory's name, e.g. nv12slotdec or avdec_h264
  int device = -1;             ///< CUDA device of its slots; -1: the host
  bool paced = true;           ///< at the file's own speed, else as fast as it goes
  std::string launch() const;  ///< for gst_parse_launch; ends in an appsink named "out"
};

/// What an ERROR message says, with the element that says it.
std::string error_text(GstMessage* message);

bool is_installed(const std::string& factory);

/// GStreamer's decoder for `file` on `device`: NVDEC's where there is one. Empty when none is
/// installed.
std::string find_decoder(const std::string& file, int device);

/// What the element that fills the slots counts, of this life of the camera.
struct CameraStats {
  std::uint64_t drops = 0;  ///< frames that found no slot
  /// Of nv12slotdec: decoders it opened, and took open from a camera that had gone.
  std::uint64_t opened = 0, reused = 0;
  std::string path = "none";  ///< what runs now; the words are the element's
  /// Of nv12slotsrc: times it came back, and the longest time from frame to frame of these.
  std::uint64_t reconnects = 0;
  std::chrono::nanoseconds longest_outage{};
};

/// One camera: a pipeline of its own that plays a camera, or a file over and over. Made playing;
/// the destructor takes it down, whatever its frames are used for elsewhere. One thread; `on_frame`
/// is called on the camera's streaming thread and never after the destructor.
class Camera {
 public:
  using OnFrame = std::function<void(BufferPtr)>;

  Camera(const CameraSetup& setup, OnFrame on_frame);
  ~Camera() { stop(); }
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;

  /// Takes the pipeline to NULL. Returns how long that took.
  std::chrono::nanoseconds stop();

  /// Sees to what the pipeline said: starts the file again at its end. Returns an error's text, or
  /// an empty string.
  std::string poll();

  std::uint64_t frames() const { return frames_.load(); }
  CameraStats stats() const;
  /// What nv12slotdec decodes with and why, as it said itself; empty: nothing yet.
  const std::string& decoding() const { return decoding_; }
  std::string state() const;

 private:
  static GstFlowReturn on_new_sample(GstElement* sink, gpointer self);
  void note_path(const GstStructure* message);

  OnFrame on_frame_;
  std::atomic<std::uint64_t> frames_{0};
  std::unique_ptr<GstElement, GstUnref> pipeline_;
  std::unique_ptr<GstElement, GstUnref> slots_;  // the element that fills them
  std::unique_ptr<GstBus, GstUnref> bus_;
  std::string decoding_;
};

}  // namespace demo
