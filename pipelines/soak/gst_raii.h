// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gio/gio.h>
#include <gst/gst.h>

#include <memory>
#include <string>

namespace soak {

// By overloads, as several of GStreamer's functions are static inline.
struct Unref {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstSample* sample) const { gst_sample_unref(sample); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
  void operator()(GMainContext* context) const { g_main_context_unref(context); }
  void operator()(GMainLoop* loop) const { g_main_loop_unref(loop); }
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using Ref = std::unique_ptr<T, Unref>;

/// A GLib source in a context; taken out when destroyed.
struct DestroySource {
  void operator()(GSource* source) const {
    g_source_destroy(source);
    g_source_unref(source);
  }
};
using SourcePtr = std::unique_ptr<GSource, DestroySource>;

/// The text of an error, which is freed; empty if there is none.
[[nodiscard]] inline std::string take_text(GError* error) {
  if (error == nullptr) return {};
  std::string text = error->message;
  g_error_free(error);
  return text;
}

}  // namespace soak
