// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_decoder.h"

#include "../pool/fake_clock.h"
#include "decode_test.h"

namespace nv12slot::decode {
namespace {

class StreamDecoderTest : public DecodeTest {
 protected:
  /// As the element does: what can be decoded by itself may have another format, before which
  /// everything is drained.
  std::vector<Shown> play_formats(StreamDecoder& decoder, const std::vector<Unit>& units,
                                  std::int64_t first = 0) {
    std::vector<Shown> shown;
    for (std::size_t i = 0; i < units.size(); ++i) {
      if (decoder.starts_new_format(units[i].data)) {
        EXPECT_EQ(decoder.send_end(), Step::kDone);
        EXPECT_EQ(receive_all(decoder, shown), Step::kEnd);
      }
      EXPECT_EQ(decoder.send(units[i].data, first + static_cast<std::int64_t>(i)), Step::kDone)
          << "unit " << i << ": " << decoder.why();
      EXPECT_EQ(receive_all(decoder, shown), Step::kAgain) << "unit " << i;
    }
    EXPECT_EQ(decoder.send_end(), Step::kDone);
    EXPECT_EQ(receive_all(decoder, shown), Step::kEnd);
    return shown;
  }
  /// Ten pictures of software, of which none is missing.
  static void expect_all_of_software(const std::vector<Shown>& shown) {
    ASSERT_EQ(shown.size(), 10u);
    for (std::size_t i = 0; i < shown.size(); ++i) {
      EXPECT_EQ(shown[i].number, static_cast<std::int64_t>(i));
      EXPECT_TRUE(is_level(shown[i], level(static_cast<std::int64_t>(i)))) << i;
    }
  }
  static StreamDecoder::Stream h264() {
    return {.codec = AV_CODEC_ID_H264, .device = &device(), .threads = 1};
  }

  FakeClock clock_;
  DecoderCache cache_{clock_};
};

class StreamDecoderOnNvdecTest : public StreamDecoderTest {
 protected:
  void SetUp() override {
    NEEDS_STANDIN();
    NEEDS_ENCODER("libx264");
  }
};

TEST_F(StreamDecoderOnNvdecTest, nvdec_is_taken_where_it_can) {
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  EXPECT_EQ(decoder.path(), Path::kNone);
  const std::vector<Shown> shown = play(decoder, encode({}));
  EXPECT_EQ(decoder.path(), Path::kNvdec);
  EXPECT_FALSE(decoder.was_warm());
  ASSERT_EQ(shown.size(), 10u);
  for (std::uint32_t i = 0; i < 10; ++i) EXPECT_TRUE(is_standin_picture(shown[i], i));
}

TEST_F(StreamDecoderOnNvdecTest, software_decodes_a_stream_of_a_size_that_nvdec_refuses) {
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  expect_all_of_software(play(decoder, encode({.width = 32, .height = 32})));
  EXPECT_EQ(decoder.path(), Path::kSoftware);
  EXPECT_NE(decoder.why().find("not 32 x 32"), std::string::npos) << decoder.why();
}

TEST_F(StreamDecoderOnNvdecTest, software_decodes_while_nvdec_cannot_be_opened) {
  standin_.fail("cuvidCreateDecoder", kCudaOutOfMemory, 0, -1);
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  expect_all_of_software(play(decoder, encode({})));
  EXPECT_EQ(decoder.path(), Path::kSoftware);
  EXPECT_NE(decoder.why().find("NVDEC could not be opened"), std::string::npos) << decoder.why();
}

TEST_F(StreamDecoderOnNvdecTest, software_decodes_chroma_that_slots_do_not_have) {
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  expect_all_of_software(play(decoder, encode({.pixels = AV_PIX_FMT_YUV444P})));
  EXPECT_EQ(decoder.path(), Path::kSoftware);
}

TEST_F(StreamDecoderOnNvdecTest, a_codec_that_the_device_does_not_decode_opens_nothing_there) {
  StreamDecoder decoder(cache_);
  StreamDecoder::Stream stream = h264();
  stream.codec = AV_CODEC_ID_MPEG4;
  decoder.set_stream(stream);
  expect_all_of_software(play(decoder, encode({.encoder = "mpeg4", .options = ""})));
  EXPECT_NE(decoder.why().find("does not decode mpeg4"), std::string::npos) << decoder.why();
  EXPECT_EQ(cache_.stats().opened, 1u);
}

TEST_F(StreamDecoderOnNvdecTest, nvdec_and_nothing_else_is_refused_where_it_cannot) {
  StreamDecoder decoder(cache_);
  StreamDecoder::Stream stream = h264();
  stream.force = Path::kNvdec;
  decoder.set_stream(stream);
  const std::vector<Unit> units = encode({.width = 32, .height = 32});
  EXPECT_EQ(decoder.send(units[0].data, 0), Step::kRefused);
  EXPECT_NE(decoder.error().find("not 32 x 32"), std::string::npos) << decoder.why();

  stream.codec = AV_CODEC_ID_MPEG4;
  decoder.set_stream(stream);
  EXPECT_EQ(decoder.send(units[0].data, 0), Step::kRefused);
  EXPECT_NE(decoder.why().find("does not decode mpeg4"), std::string::npos) << decoder.why();
}

TEST_F(StreamDecoderOnNvdecTest, other_parameter_sets_take_another_decoder_after_a_drain) {
  constexpr const char* kReordered = "preset=ultrafast,x264-params=bframes=2:b-adapt=0:scenecut=0";
  std::vector<Unit> units = encode({.pictures = 6, .options = kReordered});
  const std::vector<Unit> larger =
      encode({.width = 96, .height = 64, .pictures = 6, .options = kReordered});
  units.insert(units.end(), larger.begin(), larger.end());
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  const std::vector<Shown> shown = play_formats(decoder, units);
  ASSERT_EQ(shown.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) {
    const auto number = static_cast<std::uint32_t>(shown[i].number);
    EXPECT_EQ(units[number].pts, static_cast<std::int64_t>(i % 6));
    EXPECT_EQ(shown[i].width, i < 6 ? 64 : 96);
    EXPECT_TRUE(is_standin_picture(shown[i], number % 6));
  }
  EXPECT_EQ(cache_.stats().opened, 2u);
  EXPECT_EQ(decoder.decoder()->times_opened(), 1u);
}

TEST_F(StreamDecoderOnNvdecTest, nvdec_is_tried_again_for_another_format) {
  std::vector<Unit> units = encode({.width = 32, .height = 32, .pictures = 3});
  const std::vector<Unit> larger = encode({.pictures = 3});
  units.insert(units.end(), larger.begin(), larger.end());
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  const std::vector<Shown> shown = play_formats(decoder, units);
  ASSERT_EQ(shown.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(shown[i].format == AV_PIX_FMT_CUDA, i >= 3) << i;
    EXPECT_EQ(shown[i].number, static_cast<std::int64_t>(i));
  }
  EXPECT_EQ(decoder.path(), Path::kNvdec);
}

TEST_F(StreamDecoderOnNvdecTest, the_same_parameter_sets_again_are_no_new_format) {
  const std::vector<Unit> units = encode({.options = "preset=ultrafast,tune=zerolatency,g=2"});
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  EXPECT_FALSE(decoder.starts_new_format(units[0].data)) << "nothing was decoded before";
  std::vector<Shown> shown;
  send_all(decoder, units, shown);
  EXPECT_FALSE(decoder.starts_new_format(units[2].data));
  EXPECT_EQ(play_formats(decoder, units, 10).size() + shown.size(), 20u);
  EXPECT_EQ(cache_.stats().opened, 1u);
}

TEST_F(StreamDecoderOnNvdecTest, software_can_take_over_once_the_device_failed) {
  const std::vector<Unit> units = encode({.options = "preset=ultrafast,tune=zerolatency,g=1"});
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  std::vector<Shown> shown;
  send_all(decoder, {units.begin(), units.begin() + 2}, shown);
  standin_.stick(0, nullptr, kCudaIllegalAddress);
  EXPECT_EQ(decoder.send(units[2].data, 2), Step::kLost);
  EXPECT_NE(decoder.why(), "");
  decoder.use_software("the device failed");
  shown = play(decoder, {units.begin() + 2, units.end()}, 2);
  EXPECT_EQ(shown.size(), 8u);
  EXPECT_EQ(decoder.path(), Path::kSoftware);
  EXPECT_EQ(decoder.why(), "the device failed");
  standin_.stick(0, nullptr, 0);
  EXPECT_EQ(cache_.stats().parked, 0u);
}

TEST_F(StreamDecoderOnNvdecTest, a_stream_that_stops_leaves_its_decoder_to_the_next) {
  const std::vector<Unit> units = encode({});
  std::vector<Shown> shown;
  {
    StreamDecoder decoder(cache_);
    decoder.set_stream(h264());
    send_all(decoder, units, shown);
  }
  EXPECT_EQ(cache_.stats().parked, 1u);
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  send_all(decoder, units, shown);
  EXPECT_TRUE(decoder.was_warm());
  EXPECT_EQ(cache_.stats().reused, 1u);
}

TEST_F(StreamDecoderOnNvdecTest, the_same_stream_again_changes_nothing) {
  const std::vector<Unit> units = encode({});
  StreamDecoder decoder(cache_);
  decoder.set_stream(h264());
  std::vector<Shown> shown;
  send_all(decoder, {units.begin(), units.begin() + 5}, shown);
  const Decoder* const before = decoder.decoder();
  EXPECT_TRUE(decoder.is_same(h264()));
  decoder.set_stream(h264());
  EXPECT_EQ(decoder.decoder(), before);
  StreamDecoder::Stream other = h264();
  other.low_latency = true;
  EXPECT_FALSE(decoder.is_same(other));
  decoder.set_stream(other);
  EXPECT_EQ(decoder.decoder(), nullptr);
}

TEST_F(StreamDecoderOnNvdecTest, software_that_was_asked_for_makes_no_call_of_the_driver) {
  const std::vector<Unit> units = encode({});
  StreamDecoder::Stream stream = h264();
  stream.force = Path::kSoftware;
  standin_.reset();
  {
    StreamDecoder decoder(cache_);
    decoder.set_stream(stream);
    expect_all_of_software(play(decoder, units));
    EXPECT_EQ(decoder.why(), "software was asked for");
  }
  EXPECT_EQ(standin_.calls(nullptr), 0u);
}

// ---- Without a device
// -----------------------------------------------------------------------------

TEST_F(StreamDecoderTest, without_a_device_software_decodes_every_codec) {
  for (const Encoding& encoding :
       {Encoding{},
        {.encoder = "libx265",
        .options = "preset=ultrafast,x265-params=log-level=none:pools=none:bframes=0"},
        {.encoder = "mpeg2video", .options = ""},
        {.encoder = "mpeg4", .options = ""},
        {.encoder = "mjpeg", .pixels = AV_PIX_FMT_YUVJ420P, .options = ""}}) {
    NEEDS_ENCODER(encoding.encoder);
    SCOPED_TRACE(encoding.encoder);
    StreamDecoder decoder(cache_);
    decoder.set_stream({.codec = avcodec_find_encoder_by_name(encoding.encoder)->id, .threads = 1});
    expect_all_of_software(play(decoder, encode(encoding)));
    EXPECT_EQ(decoder.path(), Path::kSoftware);
    EXPECT_NE(decoder.why().find("no CUDA device"), std::string::npos) << decoder.why();
  }
}

TEST_F(StreamDecoderTest, without_a_device_nvdec_and_nothing_else_is_refused) {
  StreamDecoder decoder(cache_);
  decoder.set_stream({.codec = AV_CODEC_ID_H264, .force = Path::kNvdec});
  EXPECT_EQ(decoder.send(std::vector<std::uint8_t>{0, 0, 1, 9}, 0), Step::kRefused);
  EXPECT_NE(decoder.why().find("no CUDA device"), std::string::npos) << decoder.why();
  EXPECT_EQ(decoder.path(), Path::kNone);
}

TEST_F(StreamDecoderTest, without_any_decoder_both_reasons_are_told) {
  StreamDecoder decoder(cache_);
  decoder.set_stream({.codec = AV_CODEC_ID_TTF});
  EXPECT_EQ(decoder.send(std::vector<std::uint8_t>{1}, 0), Step::kRefused);
  EXPECT_NE(decoder.error().find("no software decoder"), std::string::npos) << decoder.why();
  EXPECT_NE(decoder.why().find("no CUDA device"), std::string::npos) << decoder.why();
}

TEST_F(StreamDecoderTest, before_the_first_unit_there_is_nothing_to_receive_or_drain) {
  StreamDecoder decoder(cache_);
  FramePtr frame;
  EXPECT_EQ(decoder.receive(frame), Step::kEnd);
  EXPECT_EQ(decoder.send_end(), Step::kDone);
  decoder.flush();
  decoder.set_skips_unreferenced(true);
  decoder.stop();
  EXPECT_EQ(decoder.decoder(), nullptr);
}

TEST_F(StreamDecoderTest, damaged_data_tells_why) {
  StreamDecoder decoder(cache_);
  decoder.set_stream({.codec = AV_CODEC_ID_H264, .threads = 1});
  EXPECT_EQ(decoder.send(std::vector<std::uint8_t>{0, 0, 1, 0x65, 0xff, 0xff, 0xff}, 0),
            Step::kBadData);
  EXPECT_EQ(decoder.error().rfind("decoding: ", 0), 0u) << decoder.why();
}

}  // namespace
}  // namespace nv12slot::decode
