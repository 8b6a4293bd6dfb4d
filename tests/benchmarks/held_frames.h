// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <deque>
#include <mutex>

namespace nv12slot::bench {

/// What a consumer holds, as an inference engine would: the last frames that it was given, which
/// may be those of several cameras, one after the other. Any thread.
class HeldFrames {
 public:
  using Frames = std::deque<GstBuffer*>;

  explicit HeldFrames(std::size_t most) : most_(most) {}
  ~HeldFrames();
  HeldFrames(const HeldFrames&) = delete;
  HeldFrames& operator=(const HeldFrames&) = delete;

  /// Holds `buffer` too, and gives the oldest one up if there are too many.
  void add(GstBuffer* buffer);
  /// What is held goes to the caller.
  [[nodiscard]] Frames take();
  static void give_up(Frames& frames);

 private:
  const std::size_t most_;
  std::mutex mutex_;
  Frames frames_;  // guarded by mutex_
};

}  // namespace nv12slot::bench
