// SPDX-License-Identifier: LGPL-2.1-or-later
#include "held_frames.h"

#include <utility>

namespace nv12slot::bench {

HeldFrames::~HeldFrames() {
  give_up(frames_);
}

void HeldFrames::add(GstBuffer* buffer) {
  if (most_ == 0) return;
  GstBuffer* oldest = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    frames_.push_back(gst_buffer_ref(buffer));
    if (frames_.size() > most_) {
      oldest = frames_.front();
      frames_.pop_front();
    }
  }
  gst_clear_buffer(&oldest);
}

HeldFrames::Frames HeldFrames::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(frames_, {});
}

void HeldFrames::give_up(Frames& frames) {
  for (GstBuffer* buffer : frames) gst_buffer_unref(buffer);
  frames.clear();
}

}  // namespace nv12slot::bench
