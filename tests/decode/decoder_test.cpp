// SPDX-License-Identifier: LGPL-2.1-or-later
#include "decoder.h"

#include <algorithm>
#include <deque>
#include <thread>

#include "../pool/fake_clock.h"
#include "decode_test.h"
#include "frame_reaper.h"
#include "nv12slot/fence.h"
#include "nvdec.h"

namespace nv12slot::decode {
namespace {

constexpr const char* kReordered = "preset=ultrafast,x264-params=bframes=2:b-adapt=0:scenecut=0";

// ---- On NVDEC, which is the stand-in's
// ------------------------------------------------------------

class NvdecTest : public DecodeTest {
 protected:
  void SetUp() override {
    NEEDS_STANDIN();
    NEEDS_ENCODER("libx264");
  }
};

TEST_F(NvdecTest, pictures_come_in_display_order_with_the_numbers_of_their_units) {
  const std::vector<Unit> units = encode({.pictures = 12, .options = kReordered});
  const auto decoder = open(on_nvdec());
  const std::vector<Shown> shown = play(*decoder, units);
  ASSERT_EQ(shown.size(), 12u);
  bool is_reordered = false;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto number = static_cast<std::size_t>(shown[i].number);
    ASSERT_LT(number, units.size());
    EXPECT_EQ(units[number].pts, static_cast<std::int64_t>(i));
    EXPECT_TRUE(is_standin_picture(shown[i], static_cast<std::uint32_t>(number))) << i;
    is_reordered = is_reordered || number != i;
  }
  EXPECT_TRUE(is_reordered) << "the stream has no B-frames, so the test shows little";
  EXPECT_EQ(decoder->times_opened(), 1u);
}

TEST_F(NvdecTest, every_frame_that_is_given_to_the_reaper_is_unmapped) {
  const std::vector<Unit> units = encode({});
  auto decoder = open(on_nvdec());
  FakeClock clock;
  FrameReaper reaper(clock);
  unsigned frames = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    ASSERT_EQ(decoder->send(units[i].data, static_cast<std::int64_t>(i)), Step::kDone);
    FramePtr frame;
    while (decoder->receive(frame) == Step::kFrame) {
      Result<Fence> read = Fence::record(device(), decoder->stream());
      ASSERT_TRUE(read);
      reaper.give(decoder->backlog(), std::move(frame), std::move(read).value());
      ++frames;
    }
  }
  decoder.reset();
  EXPECT_EQ(frames, 10u);
  EXPECT_EQ(standin_.calls("cuvidMapVideoFrame64"), 10u);
  EXPECT_EQ(standin_.calls("cuvidUnmapVideoFrame64"), 10u);
}

TEST_F(NvdecTest, a_new_size_opens_nvdec_anew_and_older_frames_stay_readable) {
  const std::vector<Unit> small = encode({.pictures = 2});
  const std::vector<Unit> large = encode({.width = 96, .height = 80, .pictures = 3});
  auto decoder = open(on_nvdec());
  FramePtr old;
  std::vector<Shown> shown;
  send_all(*decoder, {small[0]}, shown);
  ASSERT_EQ(decoder->send(small[1].data, 1), Step::kDone);
  ASSERT_EQ(decoder->receive(old), Step::kFrame);
  const StreamHandle stream = decoder->stream();
  std::vector<Shown> after = play(*decoder, large, 2);
  EXPECT_EQ(decoder->times_opened(), 2u);
  EXPECT_EQ(standin_.calls("cuvidCreateDecoder"), 2u);
  ASSERT_EQ(after.size(), 3u);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(after[i].number, 2 + i);
    EXPECT_EQ(after[i].width, 96);
    EXPECT_EQ(after[i].height, 80);
    EXPECT_TRUE(is_standin_picture(after[i], i));
  }
  decoder.reset();
  const Shown before = show(*old, stream);
  EXPECT_EQ(before.width, 64);
  EXPECT_TRUE(is_standin_picture(before, 1));
  EXPECT_TRUE(device().run([&] { old.reset(); }));
}

struct Shape {
  const char* name;
  const char* options;
};

class SurfacesTest : public NvdecTest, public testing::WithParamInterface<Shape> {};

// kMost wait for their copies, and the reaper has one more in its hands, while the next is decoded.
TEST_P(SurfacesTest, as_many_frames_as_a_backlog_holds_never_exhaust_them) {
  const std::vector<Unit> units = encode({.pictures = 60, .options = GetParam().options});
  auto decoder = open(on_nvdec());
  std::deque<FramePtr> held;
  unsigned frames = 0;
  const auto take = [&] {
    FramePtr frame;
    while (decoder->receive(frame) == Step::kFrame) {
      ++frames;
      held.push_back(std::move(frame));
      if (held.size() > SurfaceBacklog::kMost + 1) {
        ASSERT_TRUE(device().run([&] { held.pop_front(); }));
      }
    }
  };
  // The second time with pictures of the first in the decoder.
  for (int times = 0; times < 2; ++times) {
    decoder->flush();
    frames = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      ASSERT_EQ(decoder->send(units[i].data, static_cast<std::int64_t>(i)), Step::kDone)
          << "unit " << i << ": " << decoder->why();
      take();
    }
  }
  EXPECT_EQ(decoder->times_opened(), 1u);
  ASSERT_EQ(decoder->send_end(), Step::kDone);
  take();
  EXPECT_EQ(frames, 60u);
  ASSERT_TRUE(device().run([&] { held.clear(); }));
}

INSTANTIATE_TEST_SUITE_P(
    Streams, SurfacesTest,
    testing::Values(Shape{"intra", "preset=ultrafast,tune=zerolatency,g=1"},
                    Shape{"one_reference", "preset=ultrafast,tune=zerolatency"},
                    Shape{"many_references", "preset=medium,x264-params=ref=16:bframes=0"},
                    Shape{"b_frames", kReordered},
                    Shape{"b_pyramid",
                          "preset=medium,x264-params=ref=6:bframes=6:b-adapt=0:b-pyramid=2"}),
    [](const auto& each) { return std::string(each.param.name); });

// As many are out in good times.
TEST_F(NvdecTest, damaged_data_is_no_want_of_surfaces_while_a_backlog_is_out) {
  const std::vector<Unit> units = encode({.options = "preset=ultrafast,tune=zerolatency,g=1"});
  const auto decoder = open(on_nvdec());
  std::vector<FramePtr> held;
  for (std::size_t i = 0; i < SurfaceBacklog::kMost + 1; ++i) {
    ASSERT_EQ(decoder->send(units[i].data, static_cast<std::int64_t>(i)), Step::kDone);
    FramePtr frame;
    ASSERT_EQ(decoder->receive(frame), Step::kFrame);
    held.push_back(std::move(frame));
  }
  const std::vector<std::uint8_t> damaged = {0, 0, 1, 0x65, 0xff, 0xff};
  EXPECT_EQ(decoder->send(damaged, 9), Step::kBadData);
  ASSERT_TRUE(device().run([&] { held.clear(); }));
}

struct Exhaustion {
  const char* name;
  Encoding encoding;
  Step step;
};

class ExhaustionTest : public NvdecTest, public testing::WithParamInterface<Exhaustion> {};

// Pictures that refer to no other, so that the loss of one concerns no other.
TEST_P(ExhaustionTest, loses_pictures_until_surfaces_come_back) {
  const Encoding& encoding = GetParam().encoding;
  NEEDS_ENCODER(encoding.encoder);
  const std::vector<Unit> units = encode(encoding);
  auto decoder = open(on_nvdec(avcodec_find_encoder_by_name(encoding.encoder)->id));
  std::vector<FramePtr> frames;
  std::vector<Step> lost;
  const auto is_lost = [](Step step) { return step == Step::kNoSurface || step == Step::kBadData; };
  /// A unit, and all that is ready then.
  const auto decode = [&](std::size_t i) {
    Step step = decoder->send(units[i].data, static_cast<std::int64_t>(i));
    if (is_lost(step)) lost.push_back(step);
    do {
      FramePtr frame;
      step = decoder->receive(frame);
      if (is_lost(step)) lost.push_back(step);
      if (step != Step::kFrame) continue;
      EXPECT_NE(frame->data[0], nullptr) << "a frame without a picture";
      frames.push_back(std::move(frame));
    } while (step == Step::kFrame || is_lost(step));
    EXPECT_EQ(step, Step::kAgain);
  };
  std::size_t at = 0;
  while (at < 30 && lost.empty()) decode(at++);
  ASSERT_EQ(lost.size(), 1u) << "after " << frames.size() << " frames: " << decoder->why();
  EXPECT_EQ(lost[0], GetParam().step) << decoder->why();
  EXPECT_GT(frames.size(), SurfaceBacklog::kMost);
  EXPECT_NE(decoder->why(), "");
  const std::size_t before = frames.size();
  while (at < 30) decode(at++);
  EXPECT_LE(frames.size() + lost.size(), 30u) << "a picture was said to be lost twice";
  EXPECT_EQ(frames.size(), before);

  ASSERT_TRUE(device().run([&] { frames.clear(); }));
  for (at = 30; at < units.size(); ++at) {
    decode(at);
    // Those before it are of no interest.
    std::erase_if(frames, [](const FramePtr& frame) { return frame->pts < 30; });
    ASSERT_TRUE(device().run([&] {
      while (frames.size() > 1) frames.erase(frames.begin());
    }));
  }
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_GE(frames.back()->pts, 37);
  EXPECT_EQ(decoder->times_opened(), 1u);
  ASSERT_TRUE(device().run([&] { frames.clear(); }));
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, ExhaustionTest,
    testing::Values(
        // FFmpeg's H.264 decoder itself makes "invalid data" of every error.
        Exhaustion{"h264",
                   {.pictures = 40, .options = "preset=ultrafast,tune=zerolatency,g=1"},
                   Step::kNoSurface},
        Exhaustion{"h265",
                   {.encoder = "libx265",
                    .pictures = 40,
                    .options = "preset=ultrafast,x265-params=log-level=none:pools=none:keyint=1"},
                   Step::kNoSurface},
        Exhaustion{"mpeg2",
                   {.encoder = "mpeg2video", .pictures = 40, .options = "g=1"},
                   Step::kNoSurface}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(NvdecTest, a_decoder_that_cannot_be_opened_refuses_the_stream_and_says_why) {
  const std::vector<Unit> units = encode({});
  const auto decoder = open(on_nvdec());
  standin_.fail("cuvidCreateDecoder", kCudaOutOfMemory, 0, -1);
  EXPECT_EQ(decoder->send(units[0].data, 0), Step::kRefused);
  EXPECT_NE(decoder->why().find("NVDEC could not be opened"), std::string::npos) << decoder->why();
  EXPECT_NE(decoder->why().find("64 x 64"), std::string::npos) << decoder->why();
  EXPECT_FALSE(decoder->is_warm());
}

TEST_F(NvdecTest, a_size_that_the_device_does_not_take_is_refused_with_those_it_takes) {
  const std::vector<Unit> units = encode({.width = 32, .height = 32});
  const auto decoder = open(on_nvdec());
  EXPECT_EQ(decoder->send(units[0].data, 0), Step::kRefused);
  EXPECT_NE(decoder->why().find("48 x 16 to 8192 x 8192"), std::string::npos) << decoder->why();
  EXPECT_NE(decoder->why().find("not 32 x 32"), std::string::npos) << decoder->why();
  EXPECT_EQ(standin_.calls("cuvidCreateDecoder"), 0u);
}

TEST_F(NvdecTest, chroma_that_slots_do_not_have_is_refused_with_its_name) {
  for (const AVPixelFormat pixels : {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P}) {
    const std::vector<Unit> units = encode({.pixels = pixels});
    const auto decoder = open(on_nvdec());
    EXPECT_EQ(decoder->send(units[0].data, 0), Step::kRefused);
    const std::string expected =
        av_get_pix_fmt_name(pixels) + std::string(" pictures have no 4:2:0");
    EXPECT_NE(decoder->why().find(expected), std::string::npos) << decoder->why();
    EXPECT_EQ(standin_.calls("cuvidCreateDecoder"), 0u);
  }
}

TEST_F(NvdecTest, a_depth_that_the_device_does_not_decode_is_refused_with_its_bits) {
  const std::vector<Unit> units = encode({.pixels = AV_PIX_FMT_YUV420P10});
  const auto decoder = open(on_nvdec());
  EXPECT_EQ(decoder->send(units[0].data, 0), Step::kRefused);
  EXPECT_NE(decoder->why().find("does not decode h264 of 10 bits"), std::string::npos)
      << decoder->why();
}

// A format that no other test here asks for, as answers are kept.
TEST_F(NvdecTest, a_driver_that_fails_to_answer_what_it_decodes_is_named_and_asked_again) {
  const NvdecFormat format{AV_CODEC_ID_VP9, AV_PIX_FMT_YUV420P12};
  standin_.fail("cuvidGetDecoderCaps", kCudaInvalidValue, 0, 1);
  const std::string why = why_no_nvdec(device(), format);
  EXPECT_NE(why.find("cuvidGetDecoderCaps"), std::string::npos) << why;
  EXPECT_EQ(why_no_nvdec(device(), format), "");
  EXPECT_EQ(standin_.calls("cuvidGetDecoderCaps"), 2u);
  EXPECT_EQ(why_no_nvdec(device(), format), "");
  EXPECT_EQ(standin_.calls("cuvidGetDecoderCaps"), 2u);
}

TEST_F(NvdecTest, a_device_that_failed_is_lost_and_its_decoder_not_worth_keeping) {
  const std::vector<Unit> units = encode({});
  const auto decoder = open(on_nvdec());
  std::vector<Shown> shown;
  send_all(*decoder, {units.begin(), units.begin() + 3}, shown);
  ASSERT_TRUE(decoder->is_warm());
  standin_.stick(0, nullptr, kCudaIllegalAddress);
  EXPECT_EQ(decoder->send(units[3].data, 3), Step::kLost);
  EXPECT_NE(decoder->why().find("CUDA_ERROR_ILLEGAL_ADDRESS"), std::string::npos) << decoder->why();
  EXPECT_FALSE(decoder->is_warm());
  standin_.stick(0, nullptr, 0);
}

TEST_F(NvdecTest, a_decoder_is_worth_keeping_again_when_a_picture_follows_damaged_data) {
  const std::vector<Unit> units = encode({});
  const auto decoder = open(on_nvdec());
  std::vector<Shown> shown;
  send_all(*decoder, {units.begin(), units.begin() + 3}, shown);
  ASSERT_TRUE(decoder->is_warm());
  const std::vector<std::uint8_t> damaged = {0, 0, 1, 0x65, 0xff, 0xff};
  ASSERT_EQ(decoder->send(damaged, 3), Step::kBadData);
  EXPECT_FALSE(decoder->is_warm());
  send_all(*decoder, units, shown);
  EXPECT_TRUE(decoder->is_warm());
}

TEST_F(NvdecTest, nothing_spoils_a_graph_that_another_thread_captures) {
  const std::vector<Unit> units = encode({});
  ASSERT_NE(&device(), nullptr);
  standin_.set_capturing(1);
  {
    const auto decoder = open(on_nvdec());
    FakeClock clock;
    FrameReaper reaper(clock);
    for (std::size_t i = 0; i < units.size(); ++i) {
      ASSERT_EQ(decoder->send(units[i].data, static_cast<std::int64_t>(i)), Step::kDone)
          << decoder->why();
      FramePtr frame;
      while (decoder->receive(frame) == Step::kFrame) {
        Result<Fence> read = Fence::record(device(), decoder->stream());
        ASSERT_TRUE(read);
        reaper.give(decoder->backlog(), std::move(frame), std::move(read).value());
      }
    }
    decoder->flush();
  }
  EXPECT_EQ(standin_.calls("cuvidUnmapVideoFrame64"), 10u);
  EXPECT_EQ(standin_.spoiled_captures(), 0u);
}

TEST_F(NvdecTest, a_flush_forgets_the_pictures_that_did_not_come_out) {
  const std::vector<Unit> units = encode({.pictures = 12, .options = kReordered});
  const auto decoder = open(on_nvdec());
  std::vector<Shown> shown;
  send_all(*decoder, {units.begin(), units.begin() + 5}, shown);
  EXPECT_LT(shown.size(), 5u) << "nothing is left to forget";
  decoder->flush();
  const std::vector<Shown> after = play(*decoder, units, 100);
  ASSERT_EQ(after.size(), 12u);
  for (const Shown& picture : after) {
    EXPECT_GE(picture.number, 100);
  }
}

// What is left of the pictures before would be taken for what it refers to.
TEST_F(NvdecTest, a_stream_that_starts_without_an_idr_picture_refers_to_nothing_before_a_flush) {
  const std::vector<Unit> units = encode({.options = "preset=ultrafast,tune=zerolatency"});
  const auto decoder = open(on_nvdec());
  std::vector<Shown> shown;
  send_all(*decoder, units, shown);
  decoder->flush();
  shown.clear();
  for (std::size_t i = 1; i < units.size(); ++i) {
    static_cast<void>(decoder->send(units[i].data, static_cast<std::int64_t>(i)));
    receive_all(*decoder, shown);
  }
  EXPECT_EQ(shown.size(), 0u);
}

TEST_F(NvdecTest, an_idr_picture_that_fails_after_a_flush_leaves_nothing_to_refer_to) {
  const std::vector<Unit> units = encode({.options = "preset=ultrafast,tune=zerolatency"});
  const auto decoder = open(on_nvdec());
  std::vector<Shown> shown;
  send_all(*decoder, units, shown);
  decoder->flush();
  shown.clear();
  EXPECT_EQ(decoder->send(std::vector<std::uint8_t>{0, 0, 1, 0x65, 0xff, 0xff, 0xff}, 0),
            Step::kBadData);
  for (std::size_t i = 1; i < units.size(); ++i) {
    static_cast<void>(decoder->send(units[i].data, static_cast<std::int64_t>(i)));
    receive_all(*decoder, shown);
  }
  EXPECT_EQ(shown.size(), 0u);
}

// FFmpeg's own drain and flush would close it.
TEST_F(NvdecTest, h264_decoder_goes_on_after_a_flush) {
  const std::vector<Unit> units = encode({.pictures = 12, .options = kReordered});
  const auto decoder = open(on_nvdec());
  EXPECT_EQ(play(*decoder, units).size(), 12u);
  decoder->flush();
  EXPECT_TRUE(decoder->is_warm());
  EXPECT_EQ(play(*decoder, units, 100).size(), 12u) << "in display order from the first on";
  EXPECT_EQ(decoder->times_opened(), 1u);
}

// Else a frame that waits would close it later, on the reaper's thread.
TEST_F(NvdecTest, a_decoder_is_closed_by_whoever_destroys_it_though_frames_wait) {
  const std::vector<Unit> units = encode({});
  auto decoder = open(on_nvdec());
  const std::shared_ptr<SurfaceBacklog> backlog = decoder->backlog();
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(decoder->send(units[static_cast<std::size_t>(i)].data, i), Step::kDone);
    FramePtr frame;
    ASSERT_EQ(decoder->receive(frame), Step::kFrame);
    backlog->add(std::move(frame), std::nullopt);
  }
  ASSERT_EQ(backlog->size(), 2u);
  std::thread([&] {
    decoder.reset();
    EXPECT_EQ(standin_.thread_calls("cuvidDestroyDecoder", gettid()), 1u);
  }).join();
  EXPECT_EQ(backlog->size(), 0u);
}

TEST_F(NvdecTest, a_stream_of_the_device_comes_back_from_a_decoder_that_is_closed) {
  const StreamHandle first = open(on_nvdec())->stream();
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(open(on_nvdec())->stream(), first);
}

TEST_F(NvdecTest, pictures_that_nothing_refers_to_are_skipped_while_it_is_told_so) {
  const std::vector<Unit> units =
      encode({.pictures = 12, .options = "preset=ultrafast,x264-params=bframes=2:b-adapt=0"});
  const auto decoder = open(on_nvdec());
  decoder->set_skips_unreferenced(true);
  const std::size_t fewer = play(*decoder, units).size();
  EXPECT_LT(fewer, 12u);
  EXPECT_GT(fewer, 0u);
  decoder->flush();
  decoder->set_skips_unreferenced(false);
  EXPECT_EQ(play(*decoder, units).size(), 12u);
}

TEST_F(DecodeTest, nvdec_decodes_h265_mpeg2_and_jpeg_as_well) {
  NEEDS_STANDIN();
  const Encoding streams[] = {
      {.encoder = "libx265",
       .options = "preset=ultrafast,x265-params=log-level=none:pools=none:bframes=2"},
      {.encoder = "libx265",
       .pixels = AV_PIX_FMT_YUV420P10,
       .options = "preset=ultrafast,x265-params=log-level=none:pools=none"},
      {.encoder = "mpeg2video", .options = ""},
      {.encoder = "mjpeg", .pixels = AV_PIX_FMT_YUVJ420P, .options = ""}};
  for (const Encoding& stream : streams) {
    NEEDS_ENCODER(stream.encoder);
    const std::vector<Unit> units = encode(stream);
    const auto decoder = open(on_nvdec(avcodec_find_encoder_by_name(stream.encoder)->id));
    unsigned frames = 0;
    const auto take = [&] {
      FramePtr frame;
      while (decoder->receive(frame) == Step::kFrame) {
        EXPECT_EQ(frame->format, AV_PIX_FMT_CUDA) << stream.encoder;
        ++frames;
        EXPECT_TRUE(device().run([&] { frame.reset(); }));
      }
    };
    for (std::size_t i = 0; i < units.size(); ++i) {
      ASSERT_EQ(decoder->send(units[i].data, static_cast<std::int64_t>(i)), Step::kDone)
          << stream.encoder << ": " << decoder->why();
      take();
    }
    ASSERT_EQ(decoder->send_end(), Step::kDone);
    take();
    EXPECT_EQ(frames, 10u) << stream.encoder;
  }
}

TEST_F(DecodeTest, nvdec_cannot_be_had_for_a_codec_that_this_ffmpeg_has_no_nvdec_for) {
  NEEDS_STANDIN();
  const auto opened = Decoder::open(on_nvdec(AV_CODEC_ID_PNG));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.code(), Errc::kNoDevice);
  EXPECT_NE(opened.error().message.find("no nvdec decoder for png"), std::string::npos)
      << opened.error().message;
}

// ---- In software
// ----------------------------------------------------------------------------------

struct Codec {
  const char* name;
  Encoding encoding;
};

class SoftwareTest : public DecodeTest, public testing::WithParamInterface<Codec> {};

TEST_P(SoftwareTest, pictures_come_in_display_order_with_the_numbers_of_their_units) {
  const Encoding& encoding = GetParam().encoding;
  NEEDS_ENCODER(encoding.encoder);
  const std::vector<Unit> units = encode(encoding);
  const auto decoder = open(in_software(avcodec_find_encoder_by_name(encoding.encoder)->id));
  const std::vector<Shown> shown = play(*decoder, units);
  ASSERT_EQ(shown.size(), 10u);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto number = static_cast<std::size_t>(shown[i].number);
    ASSERT_LT(number, units.size());
    EXPECT_EQ(units[number].pts, static_cast<std::int64_t>(i));
    EXPECT_TRUE(is_level(shown[i], level(static_cast<std::int64_t>(i)))) << i;
  }
  EXPECT_FALSE(decoder->is_warm());
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, SoftwareTest,
    testing::Values(
        Codec{"h264", {}}, Codec{"h264_reordered", {.options = kReordered}},
        Codec{"h264_444", {.pixels = AV_PIX_FMT_YUV444P}},
        Codec{"h265",
              {.encoder = "libx265",
               .options = "preset=ultrafast,x265-params=log-level=none:pools=none:bframes=2"}},
        Codec{"mpeg2", {.encoder = "mpeg2video", .options = "bf=2"}},
        Codec{"mpeg4", {.encoder = "mpeg4", .options = "bf=2"}},
        Codec{"mjpeg", {.encoder = "mjpeg", .pixels = AV_PIX_FMT_YUVJ420P, .options = ""}}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(DecodeTest, several_pictures_at_once_come_in_order_and_later) {
  NEEDS_ENCODER("libx264");
  DecoderSpec spec = in_software();
  spec.threads = 3;
  spec.frame_threads = true;
  const auto decoder = open(spec);
  EXPECT_EQ(decoder->delay(), 2);
  const std::vector<Shown> shown = play(*decoder, encode({}));
  ASSERT_EQ(shown.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(shown[i].number, static_cast<int>(i));
}

TEST_F(DecodeTest, low_latency_decodes_one_picture_at_a_time) {
  DecoderSpec spec = in_software();
  spec.threads = 3;
  spec.frame_threads = true;
  spec.low_latency = true;
  EXPECT_EQ(open(spec)->delay(), 0);
}

TEST_F(DecodeTest, headers_out_of_the_stream_are_used) {
  NEEDS_ENCODER("libx264");
  const Encoded encoded = encode_all({.global_header = true});
  ASSERT_FALSE(encoded.extradata.empty());
  DecoderSpec spec = in_software();
  EXPECT_EQ(open(spec)->send(encoded.units[0].data, 0), Step::kBadData);
  spec.extradata = encoded.extradata;
  EXPECT_EQ(play(*open(spec), encoded.units).size(), 10u);
}

TEST_F(DecodeTest, damaged_data_is_skipped_and_said) {
  NEEDS_ENCODER("libx264");
  const std::vector<Unit> units = encode({.options = "preset=ultrafast,tune=zerolatency,g=1"});
  const auto decoder = open(in_software());
  const std::vector<std::uint8_t> noise = {0, 0, 1, 0x65, 0xff, 0xff, 0xff, 0xff};
  EXPECT_EQ(decoder->send(noise, 0), Step::kBadData);
  EXPECT_NE(decoder->why(), "");
  EXPECT_EQ(play(*decoder, units).size(), 10u);
}

// FFmpeg takes it for the end of the stream.
TEST_F(DecodeTest, an_empty_unit_is_bad_data_and_ends_nothing) {
  NEEDS_ENCODER("libx264");
  const std::vector<Unit> units = encode({});
  const auto decoder = open(in_software());
  EXPECT_EQ(decoder->send({}, 0), Step::kBadData);
  EXPECT_EQ(decoder->why(), "an empty access unit");
  EXPECT_EQ(play(*decoder, units).size(), 10u);
}

TEST_F(DecodeTest, after_the_end_only_a_flush_lets_it_go_on) {
  NEEDS_ENCODER("libx264");
  const std::vector<Unit> units = encode({});
  const auto decoder = open(in_software());
  EXPECT_EQ(play(*decoder, units).size(), 10u);
  EXPECT_EQ(decoder->send(units[0].data, 0), Step::kEnd);
  decoder->flush();
  EXPECT_EQ(play(*decoder, units).size(), 10u);
}

TEST_F(DecodeTest, a_codec_without_a_decoder_is_refused_with_its_name) {
  const auto opened = Decoder::open(in_software(AV_CODEC_ID_TTF));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.code(), Errc::kInvalidArgument);
  EXPECT_NE(opened.error().message.find("no software decoder"), std::string::npos)
      << opened.error().message;
}

}  // namespace
}  // namespace nv12slot::decode
