// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <deque>
#include <utility>

#include "nv12slot/mutex.h"

namespace soak {

/// How long a decoder takes for each picture: from when its access unit comes in until it goes out
/// in a slot, which the two have the same presentation time to be known by. Any thread.
class ProcessingTime {
 public:
  struct Figures {
    double mean_ms = 0, max_ms = 0;
    std::uint64_t pictures = 0;
  };

  /// Watches `decoder` for as long as it lives, which must not be longer than this object.
  void watch(GstElement* decoder);

  /// What was seen since the last call.
  [[nodiscard]] Figures take() NV12SLOT_EXCLUDES(mutex_);

 private:
  static GstPadProbeReturn on_unit(GstPad*, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn on_picture(GstPad*, GstPadProbeInfo* info, gpointer self);

  nv12slot::Mutex mutex_;
  // Presentation times and when the units came; of units that give no picture too, so bounded.
  std::deque<std::pair<GstClockTime, gint64>> units_ NV12SLOT_GUARDED_BY(mutex_);
  double sum_ms_ NV12SLOT_GUARDED_BY(mutex_) = 0;
  Figures figures_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace soak
