// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ffmpeg_decoder.h"
#include "machine.h"

#include <cuda.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_cuda.h>
}

namespace nv12slot::bench {
namespace {

struct Free {
  void operator()(AVBufferRef* buffer) const { av_buffer_unref(&buffer); }
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
using BufferPtr = std::unique_ptr<AVBufferRef, Free>;
using ContextPtr = std::unique_ptr<AVCodecContext, Free>;
using FramePtr = std::unique_ptr<AVFrame, Free>;
using PacketPtr = std::unique_ptr<AVPacket, Free>;

int check(int result, const char* call) {
  if (result >= 0 || result == AVERROR(EAGAIN)) return result;
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(result, text, sizeof text);
  throw std::runtime_error(fmt::format("{}: {}", call, text));
}

/// Each decoder has its own, and so a stream of its own; made by hand, as the ready-made ways
/// choose context and stream themselves.
BufferPtr make_device_context(const Device& device, StreamHandle stream) {
  BufferPtr buffer(av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA));
  if (buffer == nullptr) throw std::runtime_error("FFmpeg was built without CUDA");
  auto* cuda =
      static_cast<AVCUDADeviceContext*>(reinterpret_cast<AVHWDeviceContext*>(buffer->data)->hwctx);
  cuda->cuda_ctx = static_cast<CUcontext>(device.context());
  cuda->stream = static_cast<CUstream>(stream);
  check(av_hwdevice_ctx_init(buffer.get()), "av_hwdevice_ctx_init");
  return buffer;
}

ContextPtr open_decoder(AVBufferRef* device_context) {
  const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_H264);
  if (codec == nullptr) throw std::runtime_error("FFmpeg has no decoder of H.264");
  ContextPtr context(avcodec_alloc_context3(codec));
  context->hw_device_ctx = av_buffer_ref(device_context);
  context->thread_count = 1;
  context->get_format = [](AVCodecContext*, const AVPixelFormat* offered) {
    while (*offered != AV_PIX_FMT_NONE && *offered != AV_PIX_FMT_CUDA) ++offered;
    return *offered;
  };
#ifdef AV_HWACCEL_FLAG_UNSAFE_OUTPUT
  // Since 6.0 FFmpeg copies each picture otherwise.
  context->hwaccel_flags |= AV_HWACCEL_FLAG_UNSAFE_OUTPUT;
#endif
  check(avcodec_open2(context.get(), codec, nullptr), "avcodec_open2");
  return context;
}

std::vector<PacketPtr> make_packets(const Stream& stream) {
  std::vector<PacketPtr> packets;
  for (GstBuffer* picture : stream.pictures()) {
    PacketPtr packet(av_packet_alloc());
    const gsize size = gst_buffer_get_size(picture);
    check(av_new_packet(packet.get(), static_cast<int>(size)), "av_new_packet");
    gst_buffer_extract(picture, 0, packet->data, size);
    packets.push_back(std::move(packet));
  }
  return packets;
}

}  // namespace

FfmpegDecoder::FfmpegDecoder(const Stream& stream, Device& device, Samples* completion)
    : stream_(stream), device_(device), completion_(completion), thread_([this] {
        try {
          run();
        } catch (const std::runtime_error& error) {
          fmt::print(stderr, "FFmpeg alone: {}\n", error.what());
          failed_ = true;
        }
      }) {}

FfmpegDecoder::~FfmpegDecoder() {
  stopping_ = true;
  thread_.join();
}

bool FfmpegDecoder::wait_for(std::uint64_t frames) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (frames_ < frames) {
    if (failed_ || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void FfmpegDecoder::run() {
  const Result<StreamHandle> taken = device_.take_stream();
  if (!taken) throw std::runtime_error(taken.error().message);
  const auto give_stream = [this](void* stream) { device_.give_stream(stream); };
  const std::unique_ptr<void, decltype(give_stream)> cuda_stream(*taken, give_stream);
  const BufferPtr device_context = make_device_context(device_, cuda_stream.get());
  const ContextPtr context = open_decoder(device_context.get());
  const std::vector<PacketPtr> packets = make_packets(stream_);
  const PacketPtr packet(av_packet_alloc());
  const FramePtr frame(av_frame_alloc());
  for (std::int64_t n = 0; !stopping_; ++n) {
    const AVPacket* next = packets[static_cast<std::size_t>(n) % packets.size()].get();
    check(av_packet_ref(packet.get(), next), "av_packet_ref");
    packet->pts = packet->dts = n;
    check(avcodec_send_packet(context.get(), packet.get()), "avcodec_send_packet");
    av_packet_unref(packet.get());
    // Every frame is taken after each packet, so that the next one is never refused.
    while (check(avcodec_receive_frame(context.get(), frame.get()), "avcodec_receive_frame") >= 0) {
      // FFmpeg goes on in software when NVDEC cannot be had.
      if (frame->format != AV_PIX_FMT_CUDA) throw std::runtime_error("not decoded on the GPU");
      if (completion_ != nullptr) {
        const auto received = std::chrono::steady_clock::now();
        static_cast<void>(device_.synchronize(cuda_stream.get()));
        completion_->add(to_ms(std::chrono::steady_clock::now() - received) * 1000);
      }
      av_frame_unref(frame.get());
      ++frames_;
    }
  }
}

}  // namespace nv12slot::bench
