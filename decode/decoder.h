// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ffmpeg.h"
#include "nv12slot/device.h"
#include "surface_backlog.h"

namespace nv12slot::decode {

/// What decodes: NVDEC through FFmpeg, or libavcodec on the CPU.
enum class Path { kNone, kNvdec, kSoftware };
[[nodiscard]] const char* to_string(Path path);

/// What a decoder is made for. Two of equal specs are interchangeable.
struct DecoderSpec {
  AVCodecID codec = AV_CODEC_ID_NONE;
  Path path = Path::kSoftware;
  Device* device = nullptr;  ///< for NVDEC; outlives the decoder
  /// What describes the stream's format: its parameter sets, or the caps of it. Decoders that stay
  /// open are found by it.
  std::string format;
  std::vector<std::uint8_t> extradata;  ///< for codecs that keep their headers out of the stream
  bool low_latency = false;             ///< no output delay beyond the stream's own reordering
  int threads = 1;                      ///< software: 0 as many as there are cores
  bool frame_threads = false;           ///< software: several pictures at once, each later

  friend bool operator==(const DecoderSpec&, const DecoderSpec&) = default;
};

/// FFmpeg's decoder for the CPU; nullptr where it has none.
[[nodiscard]] const AVCodec* find_software_codec(AVCodecID codec);

/// What came of a call.
enum class Step {
  kDone,       ///< send: the data was taken
  kFrame,      ///< receive: there is a frame
  kWaiting,    ///< send: skipped, as decoding starts with a picture that refers to no other
  kAgain,      ///< send: receive first; receive: no frame yet
  kEnd,        ///< receive: drained
  kBadData,    ///< damaged or unsupported data, which was skipped: go on with the next call
  kNoSurface,  ///< NVDEC: every surface is taken, the picture is lost: go on with the next call
  kRefused,    ///< NVDEC does not take this stream: another decoder must, from the data just sent
  kLost,       ///< the device failed, or memory ran out
  kExiting,    ///< exit() has begun
};

/// One open decoder of FFmpeg's. Owned by one element, or by the DecoderCache; one thread at a
/// time. Destroying one of NVDEC takes up to half a second and may hang: give it to
/// DecoderCache::park() or close() instead.
///
/// A decoder of NVDEC writes its pictures in a stream of its own, stream(): order another stream
/// after that before reading one. Its frames go to the FrameReaper with backlog().
class Decoder {
 public:
  /// kInvalidArgument where this FFmpeg has no such decoder, kNoDevice where NVDEC cannot be used
  /// at all. Fast: NVDEC itself is opened by the first picture.
  [[nodiscard]] static Result<std::unique_ptr<Decoder>> open(DecoderSpec spec);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  [[nodiscard]] const DecoderSpec& spec() const { return spec_; }
  /// NVDEC: the stream its pictures are written in.
  [[nodiscard]] StreamHandle stream() const { return stream_; }
  [[nodiscard]] const std::shared_ptr<SurfaceBacklog>& backlog() const { return backlog_; }

  /// Gives one access unit; its picture comes out with `number` as its pts. `is_key`: decoding may
  /// start with it. Blocks while it is decoded. NVDEC may be opened or opened anew here.
  [[nodiscard]] Step send(std::span<const std::uint8_t> data, std::int64_t number,
                          bool is_key = false);
  /// Says that nothing follows, so that receive() gives out what is left. flush() ends that.
  [[nodiscard]] Step send_end();
  /// The next picture in display order, in `frame`. One that is lost does not end what is ready:
  /// receive until kAgain or kEnd.
  [[nodiscard]] Step receive(FramePtr& frame);
  /// Forgets everything but the open decoder: the next unit begins a stream.
  void flush();
  /// The same, and forgets what was learned of the stream: for another camera.
  void retire();

  /// Pictures that nothing else refers to need not be decoded from now on (QoS).
  void set_skips_unreferenced(bool skip);

  /// Pictures by which output may lag behind input now.
  [[nodiscard]] int delay() const;
  /// Why the last call did not do what it should, for a person.
  [[nodiscard]] const std::string& why() const { return why_; }
  /// NVDEC: a picture came out since it was opened and since data was last damaged, and nothing
  /// failed: worth keeping.
  [[nodiscard]] bool is_warm() const { return is_warm_ && !is_lost_; }
  /// NVDEC: how often it was opened; more than once where the stream's format changed inside.
  [[nodiscard]] unsigned times_opened() const { return times_opened_; }

 private:
  explicit Decoder(DecoderSpec spec) : spec_(std::move(spec)) {}

  /// H.264 on NVDEC: FFmpeg's own flush and drain would close the decoder, and open another at the
  /// next picture (h264_decode_flush() forgets its format). So its delayed pictures are had by
  /// end-of-sequence NAL units, and a flushed decoder goes on with the next IDR picture.
  [[nodiscard]] bool keeps_open() const {
    return spec_.path == Path::kNvdec && spec_.codec == AV_CODEC_ID_H264;
  }
  /// False where the unit is to be skipped.
  [[nodiscard]] bool begin(std::span<const std::uint8_t> data, bool is_key);
  /// FFmpeg's flush; closes a decoder that keeps_open().
  void reset();
  [[nodiscard]] int send_packet(std::span<const std::uint8_t> data, std::int64_t number);
  [[nodiscard]] int receive_frame(AVFrame* frame);
  [[nodiscard]] int receive_delayed(AVFrame* frame);
  void forget_output_order();

  Status prepare();
  Status prepare_nvdec();
  /// Counts a frame that was given out until it is freed.
  void count_out(AVFrame& frame);
  /// Whether so many frames are out that a picture may have found no surface.
  [[nodiscard]] bool may_lack_surface() const;
  [[nodiscard]] Step step_of(int result, const char* what);
  [[nodiscard]] bool device_is_lost();
  /// Runs `call` where FFmpeg may call the driver.
  template <typename Call>
  [[nodiscard]] Status run(Call call);
  /// What a run that did not take place means.
  [[nodiscard]] Step step_of(const Status& refused);
  /// Whether send() failed for the unit `number`; once for each.
  [[nodiscard]] bool has_told(std::int64_t number);
  static AVPixelFormat choose_format(AVCodecContext* context, const AVPixelFormat* offered);
  AVPixelFormat choose_nvdec(const AVPixelFormat* offered);

  DecoderSpec spec_;
  StreamHandle stream_ = nullptr;
  bool has_stream_ = false;
  std::shared_ptr<SurfaceBacklog> backlog_;
  CodecContextPtr context_;
  PacketPtr packet_;
  /// NVDEC: frames that were given out and are not freed; they may outlive the decoder.
  std::shared_ptr<std::atomic<int>> frames_out_ = std::make_shared<std::atomic<int>>(0);
  std::string why_;
  std::deque<std::int64_t> failed_;  // units for which send() failed, the last few
  unsigned times_opened_ = 0;
  bool is_opening_ = false;  // NVDEC was chosen, and no picture came yet
  bool is_ending_ = false;   // keeps_open(): no unit since send_end()
  bool is_flushed_ = false;  // keeps_open(): no unit since flush()
  unsigned skipped_ = 0;     // units since then
  bool is_refused_ = false;
  bool is_warm_ = false;
  bool is_lost_ = false;
};

}  // namespace nv12slot::decode
