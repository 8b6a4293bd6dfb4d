// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/buffer.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
}

#include <memory>
#include <string>

// FFmpeg's types, owned; hand one over with release().
namespace nv12slot::decode {

struct AvFree {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVBufferRef* buffer) const { av_buffer_unref(&buffer); }
};
using FramePtr = std::unique_ptr<AVFrame, AvFree>;
using PacketPtr = std::unique_ptr<AVPacket, AvFree>;
using CodecContextPtr = std::unique_ptr<AVCodecContext, AvFree>;
using BufferRefPtr = std::unique_ptr<AVBufferRef, AvFree>;

/// FFmpeg's text for one of its error numbers.
[[nodiscard]] inline std::string error_text(int error) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(error, text, sizeof(text));
  return text;
}

}  // namespace nv12slot::decode
