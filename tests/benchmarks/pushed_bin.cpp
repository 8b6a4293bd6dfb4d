// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pushed_bin.h"

#include <utility>

namespace nv12slot::bench {

PushedBin::PushedBin(const std::string& description, const std::string& caps,
                     std::function<void(GstBuffer*, const GstCaps*)> taken, GstContext* context)
    : taken_(std::move(taken)) {
  GError* error = nullptr;
  bin_ = gst_parse_bin_from_description_full(description.c_str(), TRUE, nullptr,
                                             GST_PARSE_FLAG_FATAL_ERRORS, &error);
  g_clear_error(&error);
  if (bin_ == nullptr) return;
  gst_object_ref_sink(bin_);
  if (context != nullptr) gst_element_set_context(bin_, context);
  source_ = gst_pad_new("source", GST_PAD_SRC);
  sink_ = gst_pad_new("sink", GST_PAD_SINK);
  gst_pad_set_element_private(sink_, this);
  gst_pad_set_chain_function(sink_, take);
  link(source_, "sink");
  link(sink_, "src");
  gst_pad_set_active(source_, TRUE);
  gst_pad_set_active(sink_, TRUE);
  gst_element_set_state(bin_, GST_STATE_PLAYING);
  gst_pad_push_event(source_, gst_event_new_stream_start("benchmark"));
  GstCaps* const of_buffers = gst_caps_from_string(caps.c_str());
  gst_pad_push_event(source_, gst_event_new_caps(of_buffers));
  gst_caps_unref(of_buffers);
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(source_, gst_event_new_segment(&segment));
}

PushedBin::~PushedBin() {
  if (bin_ == nullptr) return;
  gst_pad_set_active(source_, FALSE);
  gst_element_set_state(bin_, GST_STATE_NULL);
  gst_object_unref(source_);
  gst_object_unref(sink_);
  gst_object_unref(bin_);
}

bool PushedBin::push(GstBuffer* buffer) {
  return gst_pad_push(source_, gst_buffer_ref(buffer)) == GST_FLOW_OK;
}

void PushedBin::link(GstPad* pad, const char* name) {
  GstPad* const peer = gst_element_get_static_pad(bin_, name);
  gst_pad_link(GST_PAD_IS_SRC(pad) ? pad : peer, GST_PAD_IS_SRC(pad) ? peer : pad);
  gst_object_unref(peer);
}

GstFlowReturn PushedBin::take(GstPad* pad, GstObject*, GstBuffer* buffer) {
  GstCaps* const caps = gst_pad_get_current_caps(pad);
  static_cast<PushedBin*>(gst_pad_get_element_private(pad))->taken_(buffer, caps);
  gst_caps_unref(caps);
  gst_buffer_unref(buffer);
  return GST_FLOW_OK;
}

}  // namespace nv12slot::bench
