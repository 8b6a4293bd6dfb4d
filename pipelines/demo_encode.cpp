// SPDX-License-Identifier: LGPL-2.1-or-later
#include "demo_encode.h"

#include <fmt/format.h>
#include <gst/gst.h>

#include <array>
#include <memory>
#include <stdexcept>

#include "demo_camera.h"

namespace demo {
namespace {

void run_to_end(const std::string& launch) {
  GError* error = nullptr;
  std::unique_ptr<GstElement, GstUnref> pipeline{gst_parse_launch(launch.c_str(), &error)};
  if (error != nullptr) {
    const std::string text = error->message;
    g_clear_error(&error);
    throw std::runtime_error("encoding: " + text);
  }
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  std::unique_ptr<GstBus, GstUnref> bus{gst_element_get_bus(pipeline.get())};
  GstMessage* message =
      gst_bus_timed_pop_filtered(bus.get(), GST_CLOCK_TIME_NONE,
                                 static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  std::string text;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    text = error_text(message);
  }
  gst_message_unref(message);
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  if (!text.empty()) throw std::runtime_error("encoding: " + text);
}

}  // namespace

std::vector<std::string> encode_streams(const std::string& folder, const EncodeSetup& setup,
                                        const std::function<void(unsigned done)>& progress) {
  std::string encoder;
  if (is_installed("x264enc")) {
    encoder = fmt::format("x264enc speed-preset=ultrafast key-int-max={}", setup.fps);
  } else if (is_installed("openh264enc")) {
    encoder = fmt::format("openh264enc complexity=low gop-size={}", setup.fps);
  } else {
    throw std::runtime_error(
        "no H.264 encoder; install gstreamer1.0-plugins-ugly (x264enc) or give files to play");
  }
  // Every frame differs from the one before it, so that a changed frame cannot hide.
  static constexpr std::array kPatterns = {"ball", "smpte horizontal-speed=4",
                                           "pinwheel horizontal-speed=3",
                                           "zone-plate kx2=20 ky2=20 kt=1"};
  std::vector<std::string> files;
  for (unsigned i = 0; i < setup.streams; ++i) {
    files.push_back(fmt::format("{}/cam{}.mp4", folder, i));
    run_to_end(fmt::format(
        "videotestsrc num-buffers={} pattern={} ! video/x-raw,format=I420,width={},height={},"
        "framerate={}/1 ! {} ! h264parse ! mp4mux ! filesink location=\"{}\"",
        setup.seconds * setup.fps, kPatterns.at(i % kPatterns.size()), setup.width, setup.height,
        setup.fps, encoder, files.back()));
    progress(i + 1);
  }
  return files;
}

}  // namespace demo
