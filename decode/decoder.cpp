// SPDX-License-Identifier: LGPL-2.1-or-later
#include "decoder.h"

extern "C" {
#include <libavutil/hwcontext.h>
}
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "nv12slot/log.h"
#include "nvdec.h"
#include "parameter_sets.h"

namespace nv12slot::decode {
namespace {

/// Surfaces beyond those that the stream refers to: one is being decoded, one copied, and the
/// backlog's.
constexpr int kSpareSurfaces = 2 + static_cast<int>(SurfaceBacklog::kMost);

/// Pictures by which output lags behind input at most.
constexpr std::size_t kMostDelayed = 16;

/// Room for all data of one access unit, padded as FFmpeg wants it.
bool fill(AVPacket& packet, std::span<const std::uint8_t> data) {
  if (data.size() > static_cast<std::size_t>(INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE)) return false;
  if (av_new_packet(&packet, static_cast<int>(data.size())) < 0) return false;
  std::memcpy(packet.data, data.data(), data.size());
  return true;
}

/// FFmpeg can give out a surface of one size with the size of another, such as VP8 that was not
/// opened anew; to read past its end would be the end of the device for this process.
bool lies_within_surface(const AVFrame& picture) {
  const auto& all = *reinterpret_cast<const AVHWFramesContext*>(picture.hw_frames_ctx->data);
  return picture.width <= all.width && picture.height <= all.height;
}

}  // namespace

const AVCodec* find_software_codec(AVCodecID codec) {
  const AVCodec* found = avcodec_find_decoder(codec);
  // FFmpeg's own AV1 decoder does nothing without hardware; others come before it where built in.
  if (found != nullptr && codec == AV_CODEC_ID_AV1 && std::strcmp(found->name, "av1") == 0) {
    return nullptr;
  }
  return found;
}

const char* to_string(Path path) {
  switch (path) {
    case Path::kNvdec:
      return "nvdec";
    case Path::kSoftware:
      return "software";
    case Path::kNone:
      break;
  }
  return "none";
}

Result<std::unique_ptr<Decoder>> Decoder::open(DecoderSpec spec) {
  std::unique_ptr<Decoder> decoder(new Decoder(std::move(spec)));
  if (Status status = decoder->prepare(); !status) return status.error();
  return decoder;
}

template <typename Call>
Status Decoder::run(Call call) {
  if (spec_.device != nullptr) return spec_.device->run(call);
  call();
  return {};
}

Status Decoder::prepare() {
  const bool is_nvdec = spec_.path == Path::kNvdec;
  if (!is_nvdec) spec_.device = nullptr;
  const AVCodec* codec =
      is_nvdec ? find_nvdec_codec(spec_.codec) : find_software_codec(spec_.codec);
  if (codec == nullptr) {
    return Error{is_nvdec ? Errc::kNoDevice : Errc::kInvalidArgument,
                 fmt::format("this FFmpeg has no {} decoder for {}", to_string(spec_.path),
                             avcodec_get_name(spec_.codec))};
  }
  packet_.reset(av_packet_alloc());
  context_.reset(avcodec_alloc_context3(codec));
  if (packet_ == nullptr || context_ == nullptr) {
    return Error{Errc::kOutOfMemory, "no memory for a decoder"};
  }
  context_->opaque = this;
  // Each thread of NVDEC's would take a surface more and gain nothing.
  context_->thread_count = is_nvdec ? 1 : spec_.threads;
  context_->thread_type = spec_.frame_threads && !spec_.low_latency
                              ? FF_THREAD_FRAME | FF_THREAD_SLICE
                              : FF_THREAD_SLICE;
  if (spec_.low_latency) context_->flags |= AV_CODEC_FLAG_LOW_DELAY;
  // Crop exactly, as on NVDEC, whatever that does to the alignment of rows.
  context_->flags |= AV_CODEC_FLAG_UNALIGNED;
  // What it says of damage is the element's to tell; av_log_set_level(AV_LOG_DEBUG) shows it all.
  context_->log_level_offset = AV_LOG_DEBUG - AV_LOG_WARNING;
  if (!spec_.extradata.empty()) {
    const std::size_t size = spec_.extradata.size();
    context_->extradata =
        static_cast<std::uint8_t*>(av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE));
    if (context_->extradata == nullptr) return Error{Errc::kOutOfMemory, "no memory for a decoder"};
    std::memcpy(context_->extradata, spec_.extradata.data(), size);
    context_->extradata_size = static_cast<int>(size);
  }
  if (is_nvdec) {
    if (Status status = prepare_nvdec(); !status) return status;
  }
  int result = 0;
  if (Status ran = run([&] { result = avcodec_open2(context_.get(), codec, nullptr); }); !ran) {
    return ran;
  }
  if (result < 0) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("FFmpeg's {} does not open: {}", codec->name, error_text(result))};
  }
  return {};
}

Status Decoder::prepare_nvdec() {
  const Result<StreamHandle> stream = spec_.device->take_stream();
  if (!stream) return stream.error();
  stream_ = stream.value();
  has_stream_ = true;
  backlog_ = std::make_shared<SurfaceBacklog>(*spec_.device);
  Result<BufferRefPtr> made = Error{Errc::kExiting, "exit() has begun"};
  if (Status ran = spec_.device->run([&] { made = make_hw_device(*spec_.device, stream_); });
      !ran) {
    return ran;
  }
  if (!made) return made.error();
  context_->hw_device_ctx = std::move(made).value().release();
  context_->get_format = choose_format;
#ifdef AV_HWACCEL_FLAG_UNSAFE_OUTPUT
  // The surface itself instead of a copy: it is copied into a slot at once, and freed after that.
  context_->hwaccel_flags |= AV_HWACCEL_FLAG_UNSAFE_OUTPUT;
#endif
  return {};
}

Decoder::~Decoder() {
  // The frames first: the last one to go would close the decoder, on whichever thread that is.
  if (backlog_ != nullptr) backlog_->reap(true);
  // Once exit() has begun it stays open.
  if (const Status ran = run([&] { context_.reset(); }); !ran) {
    static_cast<void>(context_.release());
    if (ran.code() != Errc::kExiting) {
      log(LogLevel::kError,
          "DECODER one stays open, as its device has failed: " + ran.error().message);
    }
  }
  if (has_stream_) spec_.device->give_stream(stream_);
}

AVPixelFormat Decoder::choose_format(AVCodecContext* context, const AVPixelFormat* offered) {
  return static_cast<Decoder*>(context->opaque)->choose_nvdec(offered);
}

// FFmpeg asks at the first picture and whenever the format changes, and once more without CUDA when
// that could not be opened. Software is no choice here: it would run with one thread, unseen.
AVPixelFormat Decoder::choose_nvdec(const AVPixelFormat* offered) {
  const NvdecFormat format{spec_.codec, context_->sw_pix_fmt, context_->coded_width,
                           context_->coded_height};
  bool has_cuda = false;
  for (const AVPixelFormat* at = offered; *at != AV_PIX_FMT_NONE; ++at) {
    has_cuda = has_cuda || *at == AV_PIX_FMT_CUDA;
  }
  const bool has_failed = std::exchange(is_opening_, false);
  is_warm_ = false;
  is_refused_ = true;
  why_ = why_no_nvdec(*spec_.device, format);
  if (!why_.empty()) return AV_PIX_FMT_NONE;
  const char* const pixels = av_get_pix_fmt_name(format.pixels);
  if (!has_cuda) {
    why_ =
        fmt::format("{} {} ({} x {}, {})",
                    has_failed ? "NVDEC could not be opened, for want of memory or of decoders, for"
                               : "FFmpeg does not use NVDEC for this profile of",
                    avcodec_get_name(format.codec), format.width, format.height,
                    pixels != nullptr ? pixels : "unknown pixels");
    return AV_PIX_FMT_NONE;
  }
  is_refused_ = false;
  is_opening_ = true;
  ++times_opened_;
  static_cast<void>(set_surfaces(*context_, kSpareSurfaces));
  return AV_PIX_FMT_CUDA;
}

bool Decoder::device_is_lost() {
  if (spec_.device == nullptr) return false;
  const Status status = spec_.device->synchronize(stream_);
  if (status) return false;
  why_ = status.error().message;
  return true;
}

void Decoder::count_out(AVFrame& frame) {
  auto counter = std::make_unique<std::shared_ptr<std::atomic<int>>>(frames_out_);
  constexpr auto kFreed = [](void* opaque, std::uint8_t*) {
    const std::unique_ptr<std::shared_ptr<std::atomic<int>>> owned(
        static_cast<std::shared_ptr<std::atomic<int>>*>(opaque));
    --**owned;
  };
  frame.opaque_ref = av_buffer_create(nullptr, 0, kFreed, counter.get(), 0);
  if (frame.opaque_ref == nullptr) return;
  ++**counter;
  static_cast<void>(counter.release());
}

bool Decoder::may_lack_surface() const {
  // Where fewer are out, the stream's references leave some free.
  return spec_.path == Path::kNvdec && *frames_out_ >= kSpareSurfaces;
}

Step Decoder::step_of(const Status& refused) {
  why_ = refused.error().message;
  if (refused.code() == Errc::kExiting) return Step::kExiting;
  is_lost_ = true;
  return Step::kLost;
}

Step Decoder::step_of(int result, const char* what) {
  if (result == AVERROR(EAGAIN)) return Step::kAgain;
  if (result == AVERROR_EOF) return Step::kEnd;
  if (is_refused_) return Step::kRefused;  // choose_nvdec() said why
  if (result != AVERROR_INVALIDDATA && device_is_lost()) {
    is_lost_ = true;
    return Step::kLost;
  }
  // FFmpeg's H.264 decoder makes "invalid data" of every error.
  if (result == AVERROR_INVALIDDATA && spec_.codec == AV_CODEC_ID_H264 && may_lack_surface()) {
    why_ = "NVDEC had no surface left for a picture";
    return Step::kNoSurface;
  }
  why_ = fmt::format("{}: {}", what, error_text(result));
  // FFmpeg's "No decoder surfaces left".
  if (result == AVERROR(ENOMEM)) return spec_.device != nullptr ? Step::kNoSurface : Step::kLost;
  // Until a picture comes: FFmpeg's VP9 takes nothing any more after a size that cannot be, and the
  // next camera, or this one restarted, must not be given such a decoder.
  is_warm_ = false;
  return Step::kBadData;
}

int Decoder::send_packet(std::span<const std::uint8_t> data, std::int64_t number) {
  if (!fill(*packet_, data)) return AVERROR(ENOBUFS);
  packet_->pts = number;
  const int result = avcodec_send_packet(context_.get(), packet_.get());
  av_packet_unref(packet_.get());
  return result;
}

bool Decoder::begin(std::span<const std::uint8_t> data, bool is_key) {
  is_ending_ = false;
  if (!is_flushed_) return true;
  // What refers to pictures before it cannot be right, and FFmpeg, which was not flushed, would not
  // know. Streams without IDR pictures start at a recovery point, with a new decoder; if not even
  // that comes, let FFmpeg make of it what it can.
  constexpr unsigned kPatience = 300;
  if (!is_idr(data)) {
    if (!is_key && ++skipped_ < kPatience) return false;
    reset();
  }
  is_flushed_ = false;
  return true;
}

Step Decoder::send(std::span<const std::uint8_t> data, std::int64_t number, bool is_key) {
  if (data.empty()) {
    why_ = "an empty access unit";
    return Step::kBadData;  // to FFmpeg it would be the end
  }
  const bool is_first = is_flushed_;
  if (!begin(data, is_key)) return Step::kWaiting;
  int result = 0;
  if (const Status ran = run([&] { result = send_packet(data, number); }); !ran) {
    return step_of(ran);
  }
  // What was before the flush may still be there for the next unit to refer to.
  if (is_first && result < 0 && result != AVERROR(EAGAIN) && !is_refused_)
    is_flushed_ = keeps_open();
  if (result >= 0) return Step::kDone;
  const Step step = step_of(result, "decoding");
  if (step == Step::kNoSurface || step == Step::kBadData) {
    failed_.push_back(number);
    if (failed_.size() > kMostDelayed) failed_.pop_front();
  }
  return step;
}

bool Decoder::has_told(std::int64_t number) {
  return std::erase(failed_, number) > 0;
}

Step Decoder::send_end() {
  if (keeps_open()) {
    is_ending_ = true;
    return Step::kDone;
  }
  int result = 0;
  if (const Status ran = run([&] { result = avcodec_send_packet(context_.get(), nullptr); });
      !ran) {
    return step_of(ran);
  }
  return result >= 0 ? Step::kDone : step_of(result, "draining");
}

int Decoder::receive_frame(AVFrame* frame) {
  const int result = avcodec_receive_frame(context_.get(), frame);
  return result == AVERROR(EAGAIN) && is_ending_ ? receive_delayed(frame) : result;
}

// One delayed picture for each end of a sequence.
int Decoder::receive_delayed(AVFrame* frame) {
  constexpr std::uint8_t kEndOfSequence[] = {0, 0, 1, 10};
  context_->skip_frame = AVDISCARD_DEFAULT;  // or it would be skipped as a unit without reference
  int result = send_packet(kEndOfSequence, AV_NOPTS_VALUE);
  if (result >= 0) result = avcodec_receive_frame(context_.get(), frame);
  // An error: such as a single field, whose other one never came. It is not missed.
  return result < 0 ? AVERROR_EOF : result;
}

Step Decoder::receive(FramePtr& frame) {
  FramePtr received(av_frame_alloc());
  if (received == nullptr) {
    why_ = "no memory for a frame";
    return Step::kLost;
  }
  const auto has_no_picture = [&] {
    return received->format == AV_PIX_FMT_CUDA && received->data[0] == nullptr;
  };
  do {
    int result = 0;
    if (const Status ran = run([&] { result = receive_frame(received.get()); }); !ran) {
      return step_of(ran);
    }
    if (result < 0) return step_of(result, "taking a picture");
    // FFmpeg 7's H.265 gives out the frame of a unit for which it failed, too.
  } while (has_no_picture() && has_told(received->pts));
  if (has_no_picture()) {
    // Most of FFmpeg's decoders go on without a surface, and give out the frame without a picture.
    why_ = "NVDEC had no surface left for a picture";
    return Step::kNoSurface;
  }
  if (received->format == AV_PIX_FMT_CUDA && !lies_within_surface(*received)) {
    why_ = fmt::format("a picture of {} x {} is larger than its surface", received->width,
                       received->height);
    is_warm_ = false;
    return Step::kBadData;
  }
  if (received->format == AV_PIX_FMT_CUDA) count_out(*received);
  is_opening_ = false;
  is_warm_ = spec_.path == Path::kNvdec;
  frame = std::move(received);
  return Step::kFrame;
}

void Decoder::reset() {
  static_cast<void>(run([&] { avcodec_flush_buffers(context_.get()); }));
}

void Decoder::flush() {
  failed_.clear();
  if (!keeps_open()) {
    reset();
    return;
  }
  if (is_flushed_) return;
  is_ending_ = true;
  static_cast<void>(run([&] {
    for (std::size_t i = 0; i <= kMostDelayed; ++i) {
      const FramePtr delayed(av_frame_alloc());
      if (delayed == nullptr || receive_frame(delayed.get()) < 0) return;
    }
  }));
  forget_output_order();
  is_flushed_ = true;
  skipped_ = 0;
}

// FFmpeg gives nothing out that comes before the last picture in display order, which an IDR
// picture behind the end of a sequence does not reset. An IDR slice of a type that cannot be (P)
// does, and nothing else: it is refused. Tested against both versions:
// h264_decoder_goes_on_after_a_flush and the published pictures, each decoded twice.
void Decoder::forget_output_order() {
  constexpr std::uint8_t kInvalidIdr[] = {0, 0, 1, 0x65, 0x98};
  static_cast<void>(run([&] { static_cast<void>(send_packet(kInvalidIdr, AV_NOPTS_VALUE)); }));
}

void Decoder::retire() {
  flush();
  set_skips_unreferenced(false);
  // As when it was opened: FFmpeg learns by how many pictures output must lag behind.
  context_->has_b_frames = 0;
}

void Decoder::set_skips_unreferenced(bool skip) {
  context_->skip_frame = skip ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
}

int Decoder::delay() const {
  const bool by_frames = (context_->active_thread_type & FF_THREAD_FRAME) != 0;
  return context_->has_b_frames + (by_frames ? context_->thread_count - 1 : 0);
}

}  // namespace nv12slot::decode
