// SPDX-License-Identifier: LGPL-2.1-or-later
#include "encode.h"

extern "C" {
#include <libavutil/dict.h>
}

#include <algorithm>
#include <cstring>

namespace nv12slot::decode {
namespace {

/// Slopes that move, of other steepness in each plane, with all bits in use.
template <typename Sample>
void draw_texture(AVFrame& frame, int plane, int width, int rows, int depth, int picture) {
  const int mask = (1 << depth) - 1;
  for (int row = 0; row < rows; ++row) {
    auto* const line = reinterpret_cast<Sample*>(
        frame.data[plane] + static_cast<std::ptrdiff_t>(row) * frame.linesize[plane]);
    for (int x = 0; x < width; ++x) {
      const int value = (x * (5 + plane) + row * (3 + 2 * plane) + picture * 11) << (depth - 8);
      // Between the limits of video range, and with bits below the eighth.
      line[x] = static_cast<Sample>(((value + x + row) & (mask >> 1)) + (mask >> 2));
    }
  }
}

FramePtr draw(const Encoding& what, int picture) {
  FramePtr frame(av_frame_alloc());
  frame->format = what.pixels;
  frame->width = what.width;
  frame->height = what.height;
  frame->pts = picture;
#ifdef AV_FRAME_FLAG_TOP_FIELD_FIRST
  if (what.top_field_first) frame->flags |= AV_FRAME_FLAG_TOP_FIELD_FIRST;
#else
  frame->top_field_first = what.top_field_first ? 1 : 0;
#endif
  if (av_frame_get_buffer(frame.get(), 0) < 0) return nullptr;
  const AVPixFmtDescriptor& format = *av_pix_fmt_desc_get(what.pixels);
  for (int plane = 0; plane < format.nb_components; ++plane) {
    const int rows =
        plane == 0 ? what.height : AV_CEIL_RSHIFT(what.height, int{format.log2_chroma_h});
    const int value = plane == 0 ? level(what.first_level + picture) : 128;
    std::uint8_t* const data = frame->data[plane];
    const std::size_t bytes =
        static_cast<std::size_t>(rows) * static_cast<std::size_t>(frame->linesize[plane]);
    const int depth = format.comp[plane].depth;
    const int columns =
        plane == 0 ? what.width : AV_CEIL_RSHIFT(what.width, int{format.log2_chroma_w});
    if (what.textured) {
      if (depth == 8) {
        draw_texture<std::uint8_t>(*frame, plane, columns, rows, depth, picture);
      } else {
        draw_texture<std::uint16_t>(*frame, plane, columns, rows, depth, picture);
      }
    } else if (depth == 8) {
      std::memset(data, value, bytes);
    } else {
      std::fill_n(reinterpret_cast<std::uint16_t*>(data), bytes / 2,
                  static_cast<std::uint16_t>(value << (depth - 8)));
    }
  }
  return frame;
}

bool take_packets(AVCodecContext* context, std::vector<Unit>& units) {
  const PacketPtr packet(av_packet_alloc());
  int result = 0;
  while ((result = avcodec_receive_packet(context, packet.get())) >= 0) {
    units.push_back({{packet->data, packet->data + packet->size},
                     packet->pts,
                     (packet->flags & AV_PKT_FLAG_KEY) != 0});
    av_packet_unref(packet.get());
  }
  return result == AVERROR(EAGAIN) || result == AVERROR_EOF;
}

}  // namespace

Encoded encode_all(const Encoding& what) {
  av_log_set_level(AV_LOG_ERROR);  // the encoders tell much about themselves
  const AVCodec* const codec = avcodec_find_encoder_by_name(what.encoder);
  const CodecContextPtr context(avcodec_alloc_context3(codec));
  context->width = what.width;
  context->height = what.height;
  context->pix_fmt = what.pixels;
  context->time_base = {1, 25};
  context->thread_count = 1;
  context->bit_rate = 2'000'000;
  if (what.global_header) context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  AVDictionary* options = nullptr;
  av_dict_parse_string(&options, what.options, "=", ",", 0);
  int result = avcodec_open2(context.get(), codec, &options);
  EXPECT_GE(result, 0) << what.encoder << ": " << error_text(result);
  EXPECT_EQ(av_dict_count(options), 0) << "an option that " << what.encoder << " does not know";
  av_dict_free(&options);
  if (result < 0) return {};
  Encoded encoded;
  for (int picture = 0; picture <= what.pictures && result >= 0; ++picture) {
    const FramePtr frame = picture < what.pictures ? draw(what, picture) : nullptr;
    result = avcodec_send_frame(context.get(), frame.get());
    if (!take_packets(context.get(), encoded.units)) result = -1;
  }
  EXPECT_GE(result, 0) << what.encoder;
  EXPECT_EQ(encoded.units.size(), static_cast<std::size_t>(what.pictures)) << what.encoder;
  if (context->extradata_size > 0) {
    encoded.extradata.assign(context->extradata, context->extradata + context->extradata_size);
  }
  return encoded;
}

}  // namespace nv12slot::decode
