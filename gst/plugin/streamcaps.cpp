// SPDX-License-Identifier: LGPL-2.1-or-later
#include "streamcaps.h"

#include <string_view>

#include "raii.h"

namespace nv12slot::gst {
namespace {

/// What the caps say of the decoder's format: all but what changes without it.
std::string format_in(const GstCaps* caps) {
  const CapsPtr copy(gst_caps_copy(caps));
  gst_structure_remove_fields(gst_caps_get_structure(copy.get(), 0), "framerate",
                              "pixel-aspect-ratio", "colorimetry", "chroma-site",
                              "mastering-display-info", "content-light-level", nullptr);
  gchar* const text = gst_caps_to_string(copy.get());
  std::string format = text;
  g_free(text);
  return format;
}

std::vector<std::uint8_t> extradata_of(AVCodecID codec, GstBuffer* codec_data) {
  // Byte streams carry their headers; only these two may not.
  if (codec_data == nullptr || (codec != AV_CODEC_ID_MPEG4 && codec != AV_CODEC_ID_MPEG2VIDEO)) {
    return {};
  }
  std::vector<std::uint8_t> data(gst_buffer_get_size(codec_data));
  gst_buffer_extract(codec_data, 0, data.data(), data.size());
  return data;
}

}  // namespace

AVCodecID codec_of(const GstStructure* structure) {
  const std::string_view name = gst_structure_get_name(structure);
  if (name == "video/x-h264") return AV_CODEC_ID_H264;
  if (name == "video/x-h265") return AV_CODEC_ID_HEVC;
  if (name == "video/x-vp8") return AV_CODEC_ID_VP8;
  if (name == "video/x-vp9") return AV_CODEC_ID_VP9;
  if (name == "video/x-av1") return AV_CODEC_ID_AV1;
  if (name == "image/jpeg") return AV_CODEC_ID_MJPEG;
  if (name == "video/mpeg") {
    int version = 0;
    gst_structure_get_int(structure, "mpegversion", &version);
    return version == 4 ? AV_CODEC_ID_MPEG4 : AV_CODEC_ID_MPEG2VIDEO;
  }
  return AV_CODEC_ID_NONE;
}

decode::StreamDecoder::Stream stream_in(const GstCaps* caps, GstBuffer* codec_data) {
  decode::StreamDecoder::Stream stream;
  stream.codec = codec_of(gst_caps_get_structure(caps, 0));
  // These tell it in the stream (parameter_sets()), and the caps change with what does not matter.
  const bool tells_itself = stream.codec == AV_CODEC_ID_H264 || stream.codec == AV_CODEC_ID_HEVC ||
                            stream.codec == AV_CODEC_ID_VP8;
  if (!tells_itself) stream.format = format_in(caps);
  stream.extradata = extradata_of(stream.codec, codec_data);
  return stream;
}

}  // namespace nv12slot::gst
