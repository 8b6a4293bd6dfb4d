// SPDX-License-Identifier: LGPL-2.1-or-later
#include "demo_camera.h"

#include <fmt/format.h>
#include <gst/app/gstappsink.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

namespace demo {
namespace {

bool is_h265(const std::string& file) {
  const std::string extension = std::filesystem::path(file).extension();
  return extension == ".265" || extension == ".h265" || extension == ".hevc";
}

bool is_mp4(const std::string& file) {
  const std::string extension = std::filesystem::path(file).extension();
  return extension == ".mp4" || extension == ".mov" || extension == ".m4v";
}

}  // namespace

std::string error_text(GstMessage* message) {
  GError* error = nullptr;
  char* debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  std::string text = fmt::format("{}: {}", GST_MESSAGE_SRC_NAME(message), error->message);
  // The first line of the rest is a place in the source, what follows is for people.
  if (const char* details = debug != nullptr ? std::strchr(debug, '\n') : nullptr) {
    text += fmt::format(" ({})", details + 1);
  }
  g_clear_error(&error);
  g_free(debug);
  return text;
}

std::string find_decoder(const std::string& file, int device) {
  const std::string codec = is_h265(file) ? "h265" : "h264";
  std::vector<std::string> factories;
  // GStreamer 1.22 has a second, stateless decoder that can decode straight into slots.
  if (device >= 0) factories = {"nv" + codec + "sldec", "nv" + codec + "dec"};
  factories.push_back("avdec_" + codec);
  factories.push_back("openh264dec");
  for (const std::string& name : factories) {
    if (std::unique_ptr<GstElementFactory, GstUnref> factory{
            gst_element_factory_find(name.c_str())}) {
      return name;
    }
  }
  return {};
}

std::string CameraSetup::launch() const {
  const std::string codec = is_h265(file) ? "h265" : "h264";
  std::string parse = codec + "parse";
  if (is_mp4(file)) {
    parse = "qtdemux ! " + parse;
  } else if (paced) {
    // A raw stream has no presentation times for the sink to go by; its decoding times will do.
    parse =
        fmt::format("video/x-{},stream-format=byte-stream,framerate=30/1 ! {} ! identity sync=true",
                    codec, parse);
  }
  const bool nvdec = decoder.starts_with("nv");
  return fmt::format(
      "filesrc location=\"{}\" ! {} ! {} ! {}nv12slotcopy name=copy device={} source-name={} "
      "on-exhausted={} ! appsink name=out emit-signals=true sync={} max-buffers=4",
      file, parse, decoder,
      nvdec ? "" : "videoconvert chroma-resampler=nearest ! video/x-raw,format=NV12 ! ", device,
      name, paced ? "drop" : "block timeout=1000000000", paced ? "true" : "false");
}

Camera::Camera(const CameraSetup& setup, OnFrame on_frame) : on_frame_(std::move(on_frame)) {
  GError* error = nullptr;
  GstElement* pipeline = gst_parse_launch(setup.launch().c_str(), &error);
  pipeline_.reset(pipeline);
  if (error != nullptr) {
    const std::string text = error->message;
    g_clear_error(&error);
    throw std::runtime_error(setup.name + ": " + text);
  }
  copy_.reset(gst_bin_get_by_name(GST_BIN(pipeline), "copy"));
  bus_.reset(gst_element_get_bus(pipeline));
  const std::unique_ptr<GstElement, GstUnref> out{gst_bin_get_by_name(GST_BIN(pipeline), "out")};
  g_signal_connect(out.get(), "new-sample", G_CALLBACK(on_new_sample), this);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
}

GstFlowReturn Camera::on_new_sample(GstElement* sink, gpointer self) {
  auto* camera = static_cast<Camera*>(self);
  // Only the buffer is kept: appsink of 1.22 wants its sample back when it is flushed.
  if (GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(sink))) {
    BufferPtr buffer{gst_buffer_ref(gst_sample_get_buffer(sample))};
    gst_sample_unref(sample);
    camera->frames_.fetch_add(1);
    camera->on_frame_(std::move(buffer));
  }
  return GST_FLOW_OK;
}

std::chrono::nanoseconds Camera::stop() {
  const auto begin = std::chrono::steady_clock::now();
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  return std::chrono::steady_clock::now() - begin;
}

std::string Camera::poll() {
  std::string text;
  while (GstMessage* message = gst_bus_pop_filtered(
             bus_.get(), static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR))) {
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
      gst_element_seek_simple(pipeline_.get(), GST_FORMAT_TIME,
                              static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH), 0);
    } else if (text.empty()) {  // the first error is the cause of the others
      text = error_text(message);
    }
    gst_message_unref(message);
  }
  return text;
}

std::uint64_t Camera::dropped() const {
  GstStructure* stats = nullptr;
  g_object_get(copy_.get(), "stats", &stats, nullptr);
  if (stats == nullptr) return 0;
  guint64 dropped = 0;
  gst_structure_get_uint64(stats, "dropped", &dropped);
  gst_structure_free(stats);
  return dropped;
}

std::string Camera::state() const {
  GstState current = GST_STATE_NULL;
  gst_element_get_state(pipeline_.get(), &current, nullptr, 0);
  return gst_element_state_get_name(current);
}

}  // namespace demo
