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

bool is_installed(const std::string& factory) {
  return std::unique_ptr<GstElementFactory, GstUnref>{gst_element_factory_find(factory.c_str())} !=
         nullptr;
}

std::string find_decoder(const std::string& file, int device) {
  const std::string codec = is_h265(file) ? "h265" : "h264";
  std::vector<std::string> factories;
  // GStreamer 1.22 has a second, stateless decoder that can decode straight into slots.
  if (device >= 0) factories = {"nv" + codec + "sldec", "nv" + codec + "dec"};
  factories.push_back("avdec_" + codec);
  factories.push_back("openh264dec");
  for (const std::string& name : factories) {
    if (is_installed(name)) return name;
  }
  return {};
}

std::string CameraSetup::launch() const {
  if (!uri.empty()) {
    return fmt::format(
        "{} name=slots uri={} device={} source-name={} ! appsink name=out emit-signals=true "
        "sync=false max-buffers=4",
        kSlotSource, uri, device, name);
  }
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
  std::string decode = decoder;
  if (decoder != kSlotDecoder) {
    if (!decoder.starts_with("nv")) {
      decode += " ! videoconvert chroma-resampler=nearest ! video/x-raw,format=NV12";
    }
    decode += " ! nv12slotcopy";
  }
  return fmt::format(
      "filesrc location=\"{}\" ! {} ! {} name=slots device={} source-name={} on-exhausted={} ! "
      "appsink name=out emit-signals=true sync={} max-buffers=4",
      file, parse, decode, device, name, paced ? "drop" : "block timeout=1000000000",
      paced ? "true" : "false");
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
  slots_.reset(gst_bin_get_by_name(GST_BIN(pipeline), "slots"));
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

void Camera::note_path(const GstStructure* message) {
  if (message == nullptr || !gst_structure_has_name(message, "nv12slotdec-path")) return;
  const char* path = gst_structure_get_string(message, "path");
  const char* why = gst_structure_get_string(message, "why");
  if (path != nullptr && why != nullptr) decoding_ = fmt::format("path {}: {}", path, why);
}

std::string Camera::poll() {
  constexpr auto kWanted =
      static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);
  std::string text;
  while (GstMessage* message = gst_bus_pop_filtered(bus_.get(), kWanted)) {
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
      gst_element_seek_simple(pipeline_.get(), GST_FORMAT_TIME,
                              static_cast<GstSeekFlags>(GST_SEEK_FLAG_FLUSH), 0);
    } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT) {
      note_path(gst_message_get_structure(message));
    } else if (text.empty()) {  // the first error is the cause of the others
      text = error_text(message);
    }
    gst_message_unref(message);
  }
  return text;
}

CameraStats Camera::stats() const {
  CameraStats stats;
  GstStructure* structure = nullptr;
  g_object_get(slots_.get(), "stats", &structure, nullptr);
  if (structure == nullptr) return stats;
  const auto number = [&](const char* field) {
    guint64 value = 0;
    gst_structure_get_uint64(structure, field, &value);
    return std::uint64_t{value};
  };
  // The same, of a decoder and of a camera.
  stats.drops = number("exhausted") + number("dropped-no-slot");
  stats.reconnects = number("reconnects");
  stats.longest_outage = std::chrono::nanoseconds(number("longest-outage"));
  stats.opened = number("decoders-opened");
  stats.reused = number("decoders-reused");
  if (const char* path = gst_structure_get_string(structure, "path")) stats.path = path;
  gst_structure_free(structure);
  return stats;
}

std::string Camera::state() const {
  GstStructure* structure = nullptr;
  g_object_get(slots_.get(), "stats", &structure, nullptr);
  const char* const status =
      structure != nullptr ? gst_structure_get_string(structure, "status") : nullptr;
  std::string text = status != nullptr ? status : "";
  if (structure != nullptr) gst_structure_free(structure);
  if (!text.empty()) return text;
  GstState current = GST_STATE_NULL;
  gst_element_get_state(pipeline_.get(), &current, nullptr, 0);
  return gst_element_state_get_name(current);
}

}  // namespace demo
