// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A hostile camera, for libFuzzer: SDP, RTP and headers of answers through nv12slotsrc, by TCP on
// loopback, into GStreamer's rtspsrc, depayloaders and parsers, and our decoder behind them.
//
//   header lines, 0, SDP, 0, then of each packet its channel, its length in two bytes, its bytes;
//   those of channel 255 are sent as they are, between packets
//
// Whatever it says, the camera is given up in seconds, and the element comes down.

#include <gst/sdp/sdp.h>

#include <chrono>
#include <cstdio>

#include "../gst/gst_test.h"
#include "fuzz_target.h"
#include "hostile_server.h"
#include "nv12slot/log.h"

namespace nv12slot::fuzz {
namespace {

constexpr std::uint8_t kRaw = 255;
constexpr std::chrono::seconds kLongest(30);

HostileServer& server() {
  static auto& server = *new HostileServer;
  return server;
}

// ---- Inputs -----------------------------------------------------------------------------------

struct Payloader {
  AVCodecID codec;
  const char* launch;
};
constexpr Payloader kPayloaders[] = {
    {AV_CODEC_ID_H264, "rtph264pay config-interval=-1 pt=96 mtu=600"},
    {AV_CODEC_ID_HEVC, "rtph265pay config-interval=-1 pt=96 mtu=600"},
    {AV_CODEC_ID_VP8, "rtpvp8pay pt=96 mtu=600"},
    {AV_CODEC_ID_VP9, "rtpvp9pay pt=96 mtu=600"},
    {AV_CODEC_ID_MPEG2VIDEO, "rtpmpvpay pt=96 mtu=600"},
    {AV_CODEC_ID_MPEG4, "rtpmp4vpay config-interval=1 pt=96 mtu=600"},
    {AV_CODEC_ID_MJPEG, "rtpjpegpay pt=26 mtu=600"},
};

std::string sdp_of(const GstCaps* caps) {
  GstSDPMessage* message = nullptr;
  gst_sdp_message_new(&message);
  gst_sdp_message_set_version(message, "0");
  gst_sdp_message_set_origin(message, "-", "1", "1", "IN", "IP4", "127.0.0.1");
  gst_sdp_message_set_session_name(message, "camera");
  GstSDPMedia* media = nullptr;
  gst_sdp_media_new(&media);
  gst_sdp_media_set_media_from_caps(caps, media);
  gst_sdp_media_set_proto(media, "RTP/AVP");
  gst_sdp_media_add_attribute(media, "control", "stream=0");
  gst_sdp_message_add_media(message, media);
  gchar* const text = gst_sdp_message_as_text(message);
  std::string sdp = text;
  g_free(text);
  gst_sdp_media_free(media);
  gst_sdp_message_free(message);
  return sdp;
}

void append_packet(Bytes& to, std::uint8_t channel, std::span<const std::uint8_t> packet) {
  to.push_back(channel);
  append_u16(to, packet.size());
  append(to, packet);
}

/// A good camera's.
Bytes to_input(const Seed& seed, const Payloader& payloader) {
  GstHarness* const harness = gst_harness_new_parse(payloader.launch);
  gst_harness_set_src_caps_str(harness, seed.caps.c_str());
  for (const Packet& packet : seed.packets) {
    GstBuffer* const buffer = gst_buffer_new_memdup(packet.bytes.data(), packet.bytes.size());
    GST_BUFFER_PTS(buffer) = packet.pts;
    GST_BUFFER_DTS(buffer) = packet.dts;
    if (packet.is_delta) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    gst_harness_push(harness, buffer);
  }
  Bytes packets;
  while (const gst::BufferPtr packet{gst_harness_try_pull(harness)}) {
    GstMapInfo map;
    gst_buffer_map(packet.get(), &map, GST_MAP_READ);
    append_packet(packets, 0, {map.data, map.size});
    gst_buffer_unmap(packet.get(), &map);
  }
  const gst::CapsPtr caps(gst_pad_get_current_caps(harness->sinkpad));
  Bytes input;
  append_text(input, "Server: camera\r\n");
  input.push_back(0);
  if (caps != nullptr) append_text(input, sdp_of(caps.get()));
  input.push_back(0);
  append(input, packets);
  gst_harness_teardown(harness);
  return input;
}

Corpus make_seeds() {
  Corpus corpus;
  for (const Seed& seed : seeds()) {
    for (const Payloader& payloader : kPayloaders) {
      if (payloader.codec == seed.codec) corpus[seed.name] = to_input(seed, payloader);
    }
  }
  return corpus;
}

Says read(Input input) {
  constexpr std::string_view kEnd("\0", 1);
  Says says;
  says.headers = input.text_until(kEnd);
  // An answer without an end, or with another status, is no answer: that is what raw bytes are for.
  if (!says.headers.ends_with("\r\n") || says.headers.find("\r\n\r\n") != std::string::npos) {
    says.headers.clear();
  }
  says.sdp = input.text_until(kEnd);
  while (!input.is_empty()) {
    const std::uint8_t channel = input.byte();
    const auto packet = input.take(input.u16());
    if (channel != kRaw) {
      const std::uint8_t head[] = {'$', channel, static_cast<std::uint8_t>(packet.size() >> 8),
                                   static_cast<std::uint8_t>(packet.size())};
      append(says.stream, head);
    }
    append(says.stream, packet);
  }
  return says;
}

// ---- A camera's life --------------------------------------------------------------------------

/// Plays until the camera is given up. Frames that came.
guint64 play(Says says) {
  server().say(std::move(says));
  const std::string launch =
      "nv12slotsrc name=camera device=-1 max-threads=1 latency=0 max-attempts=1 "
      "connect-timeout=5000000000 packet-timeout=2000000000 frame-timeout=5000000000 "
      "teardown-timeout=5000000000 uri=rtsp://127.0.0.1:" +
      std::to_string(server().port()) + "/ ! fakesink sync=false async=false";
  const gst::ObjectPtr<GstElement> pipeline(
      static_cast<GstElement*>(gst_object_ref_sink(gst_parse_launch(launch.c_str(), nullptr))));
  const gst::ObjectPtr<GstElement> camera(gst_bin_get_by_name(GST_BIN(pipeline.get()), "camera"));
  const gst::ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline.get()));
  const auto began = std::chrono::steady_clock::now();
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  GstMessage* const end = gst_bus_timed_pop_filtered(
      bus.get(), static_cast<GstClockTime>(std::chrono::nanoseconds(kLongest).count()),
      GST_MESSAGE_ERROR);
  require(end != nullptr, "the camera is not given up");
  require(GST_MESSAGE_SRC(end) == GST_OBJECT(camera.get()), "an error that is not the camera's");
  gst_message_unref(end);
  const guint64 frames = gst::stat(camera.get(), "frames");
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  require(std::chrono::steady_clock::now() - began < kLongest, "the camera does not come down");
  return frames;
}

/// GStreamer's own critical messages about such cameras are many (docs/security.md).
void judge(const gchar*, GLogLevelFlags level, const gchar* message, gpointer) {
  const bool is_ours = std::string_view(message).find("gst_nv12") == 0;
  require((level & G_LOG_LEVEL_CRITICAL) == 0 || !is_ours, message);
}

}  // namespace
}  // namespace nv12slot::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  using namespace nv12slot::fuzz;
  prepare(argc, argv, make_seeds);
  g_log_set_default_handler(judge, nullptr);
  nv12slot::set_log_sink([](nv12slot::LogLevel, std::string_view) {});
  nv12slot::gst::reset_pool();
  // What is good reaches the decoder, or what is damaged would be tried on nothing.
  for (const auto& [name, input] : make_seeds()) {
    require(play(read(Input(input))) > 0, "no frame of the good camera " + name);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nv12slot::fuzz;
  play(read(Input({data, size})));
  require(nv12slot::gst::comes_to_be_unused(nv12slot::kHostDomain), "a slot was leaked");
  return 0;
}
