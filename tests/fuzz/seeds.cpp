// SPDX-License-Identifier: LGPL-2.1-or-later
#include "seeds.h"

#include <gst/check/gstharness.h>

#include <array>
#include <cstdio>
#include <memory>

#include "../gst/gst_test.h"

namespace nv12slot::fuzz {
namespace {

struct Recipe {
  const char* name;
  AVCodecID codec;
  const char* encoder;  // its first word is the element; see encoder_of()
  const char* parser;   // and the caps that it is to give; empty: none
  const char* format;   // of the raw pictures
  int width, height;
  int pictures;
};

constexpr const char* kH264 = "h264parse ! video/x-h264,stream-format=byte-stream,alignment=au";
constexpr const char* kH265 = "h265parse ! video/x-h265,stream-format=byte-stream,alignment=au";
constexpr const char* kX265 = "x265enc speed-preset=ultrafast key-int-max=4 option-string=";

// One thread each, so that every run encodes the same. Small: ten thousand have to be decoded.
const std::array kRecipes = {
    Recipe{"h264-baseline", AV_CODEC_ID_H264,
           "x264enc threads=1 speed-preset=ultrafast tune=zerolatency key-int-max=3", kH264, "I420",
           64, 48, 6},
    Recipe{"h264-b-frames", AV_CODEC_ID_H264,
           "x264enc threads=1 speed-preset=medium bframes=3 b-adapt=false b-pyramid=true "
           "key-int-max=8",
           kH264, "I420", 64, 48, 8},
    Recipe{"h264-slices", AV_CODEC_ID_H264,
           "x264enc threads=1 speed-preset=veryfast bframes=1 option-string=slices=4 key-int-max=4",
           kH264, "I420", 128, 96, 5},
    Recipe{"h264-interlaced", AV_CODEC_ID_H264,
           "x264enc threads=1 interlaced=true bframes=1 key-int-max=4", kH264, "I420", 64, 64, 5},
    Recipe{"h264-10-bit", AV_CODEC_ID_H264, "x264enc threads=1 speed-preset=veryfast key-int-max=4",
           kH264, "I420_10LE", 64, 48, 4},
    Recipe{"h264-422", AV_CODEC_ID_H264, "x264enc threads=1 speed-preset=veryfast key-int-max=4",
           kH264, "Y42B", 64, 48, 4},
    Recipe{"h265", AV_CODEC_ID_HEVC, "pools=none:frame-threads=1:bframes=0", kH265, "I420", 64, 48,
           5},
    Recipe{"h265-b-frames", AV_CODEC_ID_HEVC, "pools=none:frame-threads=1:bframes=2:ctu=16", kH265,
           "I420", 128, 96, 6},
    Recipe{"h265-10-bit", AV_CODEC_ID_HEVC, "pools=none:frame-threads=1:bframes=1", kH265,
           "I420_10LE", 64, 48, 4},
    Recipe{"vp8", AV_CODEC_ID_VP8, "vp8enc threads=1 deadline=0 keyframe-max-dist=3", "", "I420",
           64, 48, 5},
    Recipe{"vp9", AV_CODEC_ID_VP9, "vp9enc threads=1 deadline=0 keyframe-max-dist=3", "", "I420",
           64, 48, 5},
    Recipe{"vp8-large", AV_CODEC_ID_VP8, "vp8enc threads=1 deadline=0 keyframe-max-dist=3", "",
           "I420", 128, 96, 4},
    Recipe{"vp9-large", AV_CODEC_ID_VP9, "vp9enc threads=1 deadline=0 keyframe-max-dist=3", "",
           "I420", 128, 96, 4},
    Recipe{"av1", AV_CODEC_ID_AV1, "av1enc threads=1 cpu-used=6 keyframe-max-dist=3",
           "av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu", "I420", 64, 48, 4},
    Recipe{"mpeg2", AV_CODEC_ID_MPEG2VIDEO, "", "mpegvideoparse", "I420", 64, 48, 6},
    Recipe{"mpeg4", AV_CODEC_ID_MPEG4, "avenc_mpeg4 gop-size=4 max-bframes=1", "mpeg4videoparse",
           "I420", 64, 48, 5},
    Recipe{"jpeg", AV_CODEC_ID_MJPEG, "jpegenc", "", "I420", 64, 48, 4},
    Recipe{"jpeg-422", AV_CODEC_ID_MJPEG, "jpegenc quality=40", "", "Y42B", 72, 56, 4},
};

/// avenc_mpeg2video of GStreamer 1.22 refuses every frame rate, and mpeg2enc of 1.26 leaks.
const char* mpeg2_encoder() {
  guint major = 0, minor = 0, micro = 0, nano = 0;
  gst_version(&major, &minor, &micro, &nano);
  return minor >= 24 ? "avenc_mpeg2video gop-size=6 max-bframes=2"
                     : "mpeg2enc format=3 b-per-refframe=2 min-gop-size=3 max-gop-size=6";
}

/// The options of x265enc are a string that all its recipes begin alike.
std::string encoder_of(const Recipe& recipe) {
  switch (recipe.codec) {
    case AV_CODEC_ID_HEVC:
      return kX265 + std::string(recipe.encoder);
    case AV_CODEC_ID_MPEG2VIDEO:
      return mpeg2_encoder();
    default:
      return recipe.encoder;
  }
}

std::string first_word(const std::string& text) {
  return text.substr(0, text.find(' '));
}

/// What this machine lacks for it; empty if it can be encoded.
std::string missing_element(const std::string& encoder, const Recipe& recipe) {
  for (const std::string& element : {first_word(encoder), first_word(recipe.parser)}) {
    if (!element.empty() && !gst::has_element(element.c_str())) return element;
  }
  return {};
}

Bytes bytes_of(GstBuffer* buffer) {
  Bytes bytes(gst_buffer_get_size(buffer));
  gst_buffer_extract(buffer, 0, bytes.data(), bytes.size());
  return bytes;
}

Seed encode(const std::string& encoder, const Recipe& recipe) {
  Seed seed{.name = recipe.name,
            .codec = recipe.codec,
            .pictures = static_cast<unsigned>(recipe.pictures)};
  const std::string launch =
      "videotestsrc pattern=ball num-buffers=" + std::to_string(recipe.pictures) +
      " ! video/x-raw,format=" + recipe.format + ",width=" + std::to_string(recipe.width) +
      ",height=" + std::to_string(recipe.height) + ",framerate=25/1 ! " + encoder +
      (*recipe.parser != '\0' ? std::string(" ! ") + recipe.parser : std::string()) +
      " ! fakesink name=sink signal-handoffs=true sync=false";
  const auto collect = +[](GstElement*, GstBuffer* buffer, GstPad* pad, gpointer data) {
    auto* const to = static_cast<Seed*>(data);
    to->packets.push_back({bytes_of(buffer), GST_BUFFER_PTS(buffer), GST_BUFFER_DTS(buffer),
                           GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT) != FALSE});
    if (!to->caps.empty()) return;
    const gst::CapsPtr caps(gst_pad_get_current_caps(pad));
    const GstStructure* const structure = gst_caps_get_structure(caps.get(), 0);
    if (const GValue* value = gst_structure_get_value(structure, "codec_data")) {
      to->codec_data = bytes_of(gst_value_get_buffer(value));
    }
    gchar* const text = gst_caps_to_string(caps.get());
    to->caps = text;
    g_free(text);
  };
  GstElement* const parsed = gst_parse_launch(launch.c_str(), nullptr);
  EXPECT_NE(parsed, nullptr) << launch;
  if (parsed == nullptr) return seed;
  const gst::ObjectPtr<GstElement> pipeline(static_cast<GstElement*>(gst_object_ref_sink(parsed)));
  const gst::ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(parsed), "sink"));
  g_signal_connect(sink.get(), "handoff", G_CALLBACK(collect), &seed);
  const gst::RunResult result = gst::play(pipeline.get());
  EXPECT_TRUE(result.eos) << launch << ": " << result.error << result.debug;
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return seed;
}

struct All {
  std::vector<Seed> seeds;
  std::vector<std::string> missing;

  All() {
    for (const Recipe& recipe : kRecipes) {
      const std::string encoder = encoder_of(recipe);
      if (const std::string element = missing_element(encoder, recipe); !element.empty()) {
        missing.push_back(std::string(recipe.name) + ": no " + element);
        continue;
      }
      Seed seed = encode(encoder, recipe);
      if (!seed.packets.empty()) seeds.push_back(std::move(seed));
    }
  }
};

const All& all() {
  static const All all;
  return all;
}

}  // namespace

const std::vector<Seed>& seeds() {
  return all().seeds;
}

const std::vector<std::string>& missing_seeds() {
  return all().missing;
}

}  // namespace nv12slot::fuzz
