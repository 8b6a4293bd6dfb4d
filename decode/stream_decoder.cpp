// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_decoder.h"

#include <utility>

#include "frame_reaper.h"
#include "nvdec.h"
#include "parameter_sets.h"

namespace nv12slot::decode {

void StreamDecoder::set_stream(Stream stream) {
  if (stream == stream_) return;
  stop();
  stream_ = std::move(stream);
  format_ = stream_.format;
  software_because_.clear();
}

bool StreamDecoder::starts_new_format(std::span<const std::uint8_t> data) {
  std::string sets = parameter_sets(stream_.codec, data);
  if (sets.empty() || sets == format_) return false;
  const bool had_decoder = decoder_ != nullptr;
  format_ = std::move(sets);
  software_because_.clear();  // NVDEC may take this one
  return had_decoder;
}

Step StreamDecoder::open() {
  DecoderSpec spec{.codec = stream_.codec,
                   .device = stream_.device,
                   .format = format_,
                   .extradata = stream_.extradata,
                   .low_latency = stream_.low_latency};
  std::string because = software_because_;
  if (stream_.force == Path::kSoftware) {
    because = "software was asked for";
  } else if (because.empty()) {
    because = stream_.device == nullptr ? "there is no CUDA device, or none was asked for"
                                        : why_no_nvdec(*stream_.device, {.codec = stream_.codec});
  }
  if (because.empty()) {
    spec.path = Path::kNvdec;
    Result<std::unique_ptr<Decoder>> taken = cache_.take(spec);
    if (taken) {
      decoder_ = std::move(taken).value();
      was_warm_ = decoder_->is_warm();
      opened_before_ = decoder_->times_opened();
      ++decoders_taken_;
      why_ = "NVDEC decodes it";
      return Step::kDone;
    }
    if (taken.code() == Errc::kExiting) return Step::kExiting;
    because = taken.error().message;
  }
  why_ = because;
  error_ = because;
  if (stream_.force == Path::kNvdec) return Step::kRefused;
  spec.path = Path::kSoftware;
  spec.device = nullptr;
  spec.threads = stream_.threads;
  spec.frame_threads = stream_.frame_threads;
  Result<std::unique_ptr<Decoder>> opened = cache_.take(spec);
  if (!opened) {
    error_ = opened.error().message + "; " + because;
    return Step::kRefused;
  }
  software_because_ = because;
  decoder_ = std::move(opened).value();
  was_warm_ = false;
  ++decoders_taken_;
  return Step::kDone;
}

Step StreamDecoder::send(std::span<const std::uint8_t> data, std::int64_t number, bool is_key) {
  if (decoder_ == nullptr) {
    if (const Step step = open(); step != Step::kDone) return step;
  } else if (decoder_->spec().format != format_) {
    // starts_new_format() was asked, and the rest was drained.
    stop();
    if (const Step step = open(); step != Step::kDone) return step;
  }
  Step step = decoder_->send(data, number, is_key);
  if (step == Step::kRefused && stream_.force == Path::kNone) {
    // From this unit on, which is the first one that NVDEC did not take.
    use_software(decoder_->why());
    if (step = open(); step != Step::kDone) return step;
    step = decoder_->send(data, number, is_key);
  }
  return note(step);
}

Step StreamDecoder::note(Step step) {
  const bool is_failure = step == Step::kBadData || step == Step::kNoSurface ||
                          step == Step::kRefused || step == Step::kLost;
  if (is_failure && decoder_ != nullptr) error_ = decoder_->why();
  return step;
}

Step StreamDecoder::send_end() {
  return decoder_ != nullptr ? note(decoder_->send_end()) : Step::kDone;
}

Step StreamDecoder::receive(FramePtr& frame) {
  return decoder_ != nullptr ? note(decoder_->receive(frame)) : Step::kEnd;
}

void StreamDecoder::give_back(FramePtr frame) {
  if (frame == nullptr || frame->format != AV_PIX_FMT_CUDA) return;
  FrameReaper::of(*stream_.device).give(decoder_->backlog(), std::move(frame), {});
}

void StreamDecoder::flush() {
  if (decoder_ != nullptr) decoder_->flush();
}

void StreamDecoder::set_skips_unreferenced(bool skip) {
  if (decoder_ != nullptr) decoder_->set_skips_unreferenced(skip);
}

void StreamDecoder::use_software(std::string why) {
  software_because_ = std::move(why);
  cache_.close(std::move(decoder_));
}

void StreamDecoder::stop() {
  cache_.park(std::move(decoder_));
}

}  // namespace nv12slot::decode
