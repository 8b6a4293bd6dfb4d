// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camera.h"

#include <fmt/format.h>
#include <gst/app/gstappsink.h>
#include <gst/nv12slot/nv12slot.h>

#include <algorithm>
#include <stdexcept>

namespace soak {
namespace {

Ref<GstElement> make(const char* factory, const char* name, const char* remedy) {
  GstElement* element = gst_element_factory_make(factory, name);
  if (element == nullptr)
    throw std::runtime_error(fmt::format("no element {}: {}", factory, remedy));
  return Ref<GstElement>(GST_ELEMENT(gst_object_ref_sink(element)));
}

void set(GstElement* element, const std::string& property, const std::string& value) {
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), property.c_str()) == nullptr) {
    throw std::runtime_error(fmt::format(
        "nv12slotsrc has no property {}; gst-inspect-1.0 nv12slotsrc lists them", property));
  }
  gst_util_set_object_arg(G_OBJECT(element), property.c_str(), value.c_str());
}

}  // namespace

Camera::Camera(const CameraSetup& setup, ProcessingTime& processing, OnFrame on_frame)
    : on_frame_(std::move(on_frame)),
      pipeline_(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(setup.name.c_str())))),
      source_(make("nv12slotsrc", "camera",
                   "set GST_PLUGIN_PATH to the folder of libgstnv12slot.so, built with FFmpeg")),
      bus_(gst_element_get_bus(pipeline_.get())) {
  const Ref<GstElement> sink = make("appsink", "out", "install gstreamer1.0-plugins-base");
  set(source_.get(), "uri", setup.uri);
  set(source_.get(), "source-name", setup.name);
  set(source_.get(), "device", std::to_string(setup.device));
  set(source_.get(), "loop", "true");
  for (const auto& [name, value] : setup.properties) set(source_.get(), name, value);
  // The frames as they come: what holds them up would be the clock, and is of no interest here.
  g_object_set(sink.get(), "emit-signals", TRUE, "sync", FALSE, "max-buffers", 4, nullptr);
  g_signal_connect(sink.get(), "new-sample", G_CALLBACK(on_sample), this);
  if (setup.reader_promises) {
    GstPad* pad = gst_element_get_static_pad(sink.get(), "sink");
    gst_nv12_slot_declare_reader(pad);
    gst_object_unref(pad);
  }
  g_signal_connect(pipeline_.get(), "deep-element-added", G_CALLBACK(on_element), &processing);
  gst_bin_add_many(GST_BIN(pipeline_.get()), source_.get(), sink.get(), nullptr);
  if (!gst_element_link(source_.get(), sink.get())) {
    throw std::runtime_error("nv12slotsrc and appsink do not link");
  }
  // One that is in the bin from the start was added before the bin was watched.
  GstIterator* inside = gst_bin_iterate_recurse(GST_BIN(source_.get()));
  gst_iterator_foreach(
      inside,
      [](const GValue* element, gpointer to) {
        on_element(nullptr, nullptr, GST_ELEMENT(g_value_get_object(element)), to);
      },
      &processing);
  gst_iterator_free(inside);
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
}

void Camera::on_element(GstBin*, GstBin*, GstElement* element, gpointer processing) {
  GstElementFactory* factory = gst_element_get_factory(element);
  if (factory == nullptr) return;
  if (g_strcmp0(GST_OBJECT_NAME(factory), "nv12slotdec") != 0) return;
  static_cast<ProcessingTime*>(processing)->watch(element);
}

GstFlowReturn Camera::on_sample(GstElement* sink, gpointer self) {
  if (GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(sink))) {
    // Only the buffer is used: appsink of 1.22 wants its sample back when it is flushed.
    GstBuffer* buffer = gst_buffer_ref(gst_sample_get_buffer(sample));
    gst_sample_unref(sample);
    static_cast<Camera*>(self)->on_frame_(buffer);
    gst_buffer_unref(buffer);
  }
  return GST_FLOW_OK;
}

std::chrono::nanoseconds Camera::stop() {
  if (is_stopped_) return {};
  is_stopped_ = true;
  const auto begin = std::chrono::steady_clock::now();
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  return std::chrono::steady_clock::now() - begin;
}

CameraCounts Camera::counts() const {
  CameraCounts counts;
  GstStructure* structure = nullptr;
  g_object_get(source_.get(), "stats", &structure, nullptr);
  if (structure == nullptr) return counts;
  const Ref<GstStructure> owner{structure};
  const auto number = [&](const char* field) {
    guint64 value = 0;
    gst_structure_get_uint64(structure, field, &value);
    return std::uint64_t{value};
  };
  const auto text = [&](const char* field) {
    const char* value = gst_structure_get_string(structure, field);
    return std::string(value != nullptr ? value : "none");
  };
  counts.status = text("status");
  counts.path = text("path");
  counts.reconnects = number("reconnects");
  counts.outages = number("outages");
  counts.dropped = number("dropped-no-slot");
  counts.decoders_opened = number("decoders-opened");
  counts.decoders_reused = number("decoders-reused");
  counts.teardowns_pending = number("teardowns-pending");
  counts.teardowns_abandoned = number("teardowns-abandoned");
  return counts;
}

std::string Camera::take_error() {
  std::string text;
  while (GstMessage* popped = gst_bus_pop_filtered(
             bus_.get(), static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS))) {
    const Ref<GstMessage> message{popped};
    if (!text.empty()) continue;  // the first error is the cause of the others
    if (GST_MESSAGE_TYPE(popped) == GST_MESSAGE_EOS) {
      text = "it ended";
      continue;
    }
    GError* error = nullptr;
    char* debug = nullptr;
    gst_message_parse_error(popped, &error, &debug);
    text = fmt::format("{}: {}", GST_MESSAGE_SRC_NAME(popped), take_text(error));
    if (debug != nullptr) text += fmt::format(" ({})", debug);
    g_free(debug);
    std::replace(text.begin(), text.end(), '\n', ' ');
  }
  return text;
}

}  // namespace soak
