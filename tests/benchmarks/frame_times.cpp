// SPDX-License-Identifier: LGPL-2.1-or-later
#include "frame_times.h"

#include "machine.h"

namespace nv12slot::bench {

void FrameTimes::attach(GstElement* pipeline) {
  GstElement* decoder = gst_bin_get_by_name(GST_BIN(pipeline), "decoder");
  GstPad* pad = gst_element_get_static_pad(decoder, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, &FrameTimes::on_input, this, nullptr);
  gst_object_unref(pad);
  pad = gst_element_get_static_pad(decoder, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, &FrameTimes::on_output, this, nullptr);
  gst_object_unref(pad);
  gst_object_unref(decoder);
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  g_object_set(sink, "signal-handoffs", TRUE, nullptr);
  g_signal_connect(sink, "handoff", G_CALLBACK(&FrameTimes::on_handoff), this);
  gst_object_unref(sink);
}

GstPadProbeReturn FrameTimes::on_input(GstPad*, GstPadProbeInfo* info, gpointer self) {
  auto& times = *static_cast<FrameTimes*>(self);
  const std::lock_guard<std::mutex> lock(times.mutex_);
  times.came_in_[GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info))] = Clock::now();
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn FrameTimes::on_output(GstPad*, GstPadProbeInfo* info, gpointer self) {
  const auto now = Clock::now();
  auto& times = *static_cast<FrameTimes*>(self);
  const std::lock_guard<std::mutex> lock(times.mutex_);
  const auto found = times.came_in_.find(GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)));
  if (found == times.came_in_.end()) return GST_PAD_PROBE_OK;
  times.times_[static_cast<std::size_t>(times.phase_.load())].in_decoder.add(
      to_ms(now - found->second));
  // Earlier ones were dropped by the decoder.
  times.came_in_.erase(times.came_in_.begin(), std::next(found));
  return GST_PAD_PROBE_OK;
}

void FrameTimes::on_handoff(GstElement*, GstBuffer*, GstPad*, gpointer self) {
  const auto now = Clock::now();
  auto& times = *static_cast<FrameTimes*>(self);
  const std::lock_guard<std::mutex> lock(times.mutex_);
  if (times.last_ != Clock::time_point()) {
    times.times_[static_cast<std::size_t>(times.phase_.load())].gap.add(to_ms(now - times.last_));
  }
  times.last_ = now;
}

}  // namespace nv12slot::bench
