// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clips.h"

#include <fmt/format.h>
#include <gst/app/gstappsink.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace soak {
namespace {

constexpr int kSeconds = 4;

// Every frame differs from the one before it, so that a changed frame cannot hide.
constexpr std::array kPatterns = {"ball", "smpte horizontal-speed=4", "pinwheel horizontal-speed=3",
                                  "zone-plate kx2=20 ky2=20 kt=1"};

/// A pipeline that ends in an appsink named "out", run to its end; its buffers.
std::vector<Ref<GstBuffer>> run(const std::string& launch) {
  GError* error = nullptr;
  Ref<GstElement> pipeline{gst_parse_launch(launch.c_str(), &error)};
  if (error != nullptr) throw std::runtime_error("making the pictures: " + take_text(error));
  const Ref<GstElement> out{gst_bin_get_by_name(GST_BIN(pipeline.get()), "out")};
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  std::vector<Ref<GstBuffer>> buffers;
  while (GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(out.get()))) {
    buffers.emplace_back(gst_buffer_ref(gst_sample_get_buffer(sample)));
    gst_sample_unref(sample);
  }
  const Ref<GstBus> bus{gst_element_get_bus(pipeline.get())};
  const Ref<GstMessage> message{gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR)};
  std::string text;
  if (message != nullptr) {
    gst_message_parse_error(message.get(), &error, nullptr);
    text = take_text(error);
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  if (!text.empty()) throw std::runtime_error("making the pictures: " + text);
  return buffers;
}

std::string encoder(const ClipSettings& settings) {
  const auto is_installed = [](const char* name) {
    const Ref<GstElementFactory> factory{gst_element_factory_find(name)};
    return factory != nullptr;
  };
  // Some 0.15 bits a pixel: what a camera spends.
  const int kbit = std::max(64, settings.width * settings.height * settings.fps / 6600);
  if (is_installed("x264enc")) {
    return fmt::format("x264enc speed-preset=ultrafast key-int-max={} bitrate={}", settings.fps,
                       kbit);
  }
  if (is_installed("openh264enc")) {
    return fmt::format("openh264enc complexity=low gop-size={} bitrate={}", settings.fps,
                       kbit * 1000);
  }
  throw std::runtime_error(
      "no H.264 encoder for the simulated cameras; install gstreamer1.0-plugins-ugly (x264enc), or "
      "give --clip or --uri");
}

std::string bytes_of(GstBuffer* buffer) {
  GstMapInfo map;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return {};
  std::string bytes(reinterpret_cast<const char*>(map.data), map.size);
  gst_buffer_unmap(buffer, &map);
  return bytes;
}

/// Under another name first: a server may be killed while it does this.
void write(const std::string& path, const std::vector<Ref<GstBuffer>>& units) {
  std::ofstream file(path + ".part", std::ios::binary);
  for (const auto& unit : units) file << bytes_of(unit.get());
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path + "; is there room?");
  std::filesystem::rename(path + ".part", path);
}

/// SPS and PPS in `unit`, with start codes.
std::string parameter_sets(GstBuffer* unit) {
  const std::string bytes = bytes_of(unit);
  const std::string start("\0\0\1", 3);
  std::string found;
  for (std::size_t at = bytes.find(start); at != std::string::npos;) {
    const std::size_t next = bytes.find(start, at + 3);
    const int type = at + 3 < bytes.size() ? bytes[at + 3] & 31 : 0;
    // The zero byte that makes four-byte start codes belongs to the next unit; it does no harm
    // here.
    if (type == 7 || type == 8) found += bytes.substr(at, next - at);
    at = next;
  }
  return found;
}

std::vector<Ref<GstBuffer>> encode(const ClipSettings& settings, unsigned number) {
  return run(fmt::format(
      "videotestsrc num-buffers={} pattern={} ! video/x-raw,format=I420,width={},height={},"
      "framerate={}/1 ! {} ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au ! "
      "appsink name=out sync=false",
      kSeconds * settings.fps, kPatterns.at(number % kPatterns.size()), settings.width,
      settings.height, settings.fps, encoder(settings)));
}

}  // namespace

std::vector<Clip> load_clips(const ClipSettings& settings) {
  std::vector<std::string> files = settings.files;
  for (unsigned i = 0; settings.files.empty() && i < settings.clips; ++i) {
    files.push_back(fmt::format("{}/clip{}.h264", settings.folder, i));
    if (!std::filesystem::exists(files.back())) write(files.back(), encode(settings, i));
  }
  std::vector<Clip> clips;
  for (const std::string& file : files) {
    Clip clip;
    clip.units = run(fmt::format(
        "filesrc location=\"{}\" ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au "
        "! appsink name=out sync=false",
        file));
    if (!clip.units.empty()) clip.parameter_sets = parameter_sets(clip.units.front().get());
    if (clip.parameter_sets.empty()) {
      throw std::runtime_error(file + " is no byte stream of H.264 that begins with a key picture");
    }
    clips.push_back(std::move(clip));
  }
  return clips;
}

}  // namespace soak
