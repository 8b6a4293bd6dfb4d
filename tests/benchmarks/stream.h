// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>
#include <vector>

namespace nv12slot::bench {

/// The H.264 byte stream to play: the file that NV12SLOT_STREAM names, or a small one that is
/// encoded at the first call and removed at exit. Empty if there is none and none can be made.
[[nodiscard]] const std::string& stream_file();

/// A byte stream of H.264 in memory, cut into pictures, to be played over and over: it begins with
/// a key frame, and has no B-frames, as the order of the pictures is taken for that of display.
/// Constant once made; any thread.
class Stream {
 public:
  /// Reads `file` to its end. Empty if it cannot be read or h264parse is missing.
  explicit Stream(const std::string& file);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] bool is_empty() const { return pictures_.empty(); }
  /// Without times, in the order of the stream.
  [[nodiscard]] const std::vector<GstBuffer*>& pictures() const { return pictures_; }
  /// Of each picture; borrowed.
  [[nodiscard]] GstCaps* caps() const { return caps_; }

 private:
  std::vector<GstBuffer*> pictures_;
  GstCaps* caps_ = nullptr;
};

/// stream_file() in memory.
[[nodiscard]] const Stream& stream();

}  // namespace nv12slot::bench
