// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <span>
#include <string>

#include "decoder_cache.h"

namespace nv12slot::decode {

/// Decodes one stream for as long as it lasts, with whichever decoder suits: NVDEC where it can,
/// software where not, another one when the stream's format changes. Takes decoders from a cache
/// and parks them there. One thread at a time.
class StreamDecoder {
 public:
  /// What is known of the stream beforehand, and what is wanted.
  struct Stream {
    AVCodecID codec = AV_CODEC_ID_NONE;
    Device* device = nullptr;  ///< nullptr: no NVDEC
    Path force = Path::kNone;  ///< that path or an error; kNone: NVDEC, else software
    std::string format;        ///< describes the format where the stream has no parameter sets
    std::vector<std::uint8_t> extradata;
    bool low_latency = false;
    int threads = 0;
    bool frame_threads = false;

    friend bool operator==(const Stream&, const Stream&) = default;
  };

  explicit StreamDecoder(DecoderCache& cache) : cache_(cache) {}
  /// Parks the decoder.
  ~StreamDecoder() { stop(); }
  StreamDecoder(const StreamDecoder&) = delete;
  StreamDecoder& operator=(const StreamDecoder&) = delete;

  /// From the next send() on. Does nothing where the stream stays the same; else drain first, or
  /// what is left in the decoder is lost.
  void set_stream(Stream stream);
  [[nodiscard]] bool is_same(const Stream& stream) const { return stream == stream_; }

  /// Whether an access unit that can be decoded by itself has a format of its own: drain before
  /// send(). Remembers its format.
  [[nodiscard]] bool starts_new_format(std::span<const std::uint8_t> data);

  /// As Decoder's, but never kRefused unless the path is forced: software takes over. kRefused or
  /// kLost: error() says what is missing, and nothing can be sent until set_stream() or
  /// use_software().
  [[nodiscard]] Step send(std::span<const std::uint8_t> data, std::int64_t number,
                          bool is_key = false);
  [[nodiscard]] Step send_end();
  [[nodiscard]] Step receive(FramePtr& frame);
  /// A frame of receive()'s that nobody reads: goes to the reaper. nullptr is allowed. Before
  /// another call that may change the decoder.
  void give_back(FramePtr frame);
  void flush();
  void set_skips_unreferenced(bool skip);

  /// Gives NVDEC up for this stream, because the device failed.
  void use_software(std::string why);
  /// Parks the decoder; the next send() takes one again.
  void stop();

  /// The decoder that runs; nullptr before the first send(), and after stop().
  [[nodiscard]] const Decoder* decoder() const { return decoder_.get(); }
  [[nodiscard]] Path path() const { return decoder_ ? decoder_->spec().path : Path::kNone; }
  /// Why that path; for a person.
  [[nodiscard]] const std::string& why() const { return why_; }
  /// Why the last call failed; for a person.
  [[nodiscard]] const std::string& error() const { return error_; }
  /// How many decoders the streams had so far, warm ones included.
  [[nodiscard]] unsigned decoders_taken() const { return decoders_taken_; }
  /// Whether the decoder that runs had been open before, and NVDEC was not opened anew in it.
  /// Certain once it has taken data: what does not begin with an IDR picture may need that.
  [[nodiscard]] bool was_warm() const {
    return was_warm_ && decoder_ != nullptr && decoder_->times_opened() == opened_before_;
  }

 private:
  [[nodiscard]] Step open();
  [[nodiscard]] Step note(Step step);

  DecoderCache& cache_;
  Stream stream_;
  std::string format_;            // of the stream now
  std::string software_because_;  // not empty: NVDEC was tried or is out of question
  std::unique_ptr<Decoder> decoder_;
  std::string why_, error_;
  unsigned decoders_taken_ = 0;
  bool was_warm_ = false;
  unsigned opened_before_ = 0;  // decoder_->times_opened() when it was taken
};

}  // namespace nv12slot::decode
