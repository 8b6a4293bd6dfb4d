// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What nv12slotdec makes of a stream's format: its pictures, and what the caps and the buffers say
// of them.
#include "dec_test.h"

namespace nv12slot::gst {
namespace {

using decode::encode;
using decode::Encoding;
using decode::Unit;

class DecFormatTest : public DecPathTest {
 protected:
  /// Whether the pictures, in display order, are those of `units`, the first of a decoder of
  /// NVDEC's; H.265 has 10 bits here.
  static void expect_right(const std::vector<Out>& out, std::size_t first,
                           const std::vector<Unit>& units, AVCodecID codec = AV_CODEC_ID_H264) {
    const auto right =
        is_nvdec() ? std::vector<std::vector<std::uint8_t>>() : reference(codec, units);
    for (std::size_t i = 0; i < units.size(); ++i) {
      const Out& shown = out.at(first + i);
      unsigned number = 0;  // place in decoding order
      while (units[number].pts != static_cast<std::int64_t>(i)) ++number;
      EXPECT_TRUE(is_same(shown.read(), is_nvdec()
                                            ? standin_picture(number, shown.width(), shown.height(),
                                                              0, 0, codec == AV_CODEC_ID_HEVC)
                                            : right.at(i)))
          << "picture " << first + i;
    }
  }
};
ON_EACH_PATH(DecFormatTest);

TEST_P(DecFormatTest, a_new_size_mid_stream_gives_new_caps_and_the_right_pictures) {
  const Encoding small{.pictures = 6, .options = kReordered, .textured = true};
  Encoding large = small;
  large.width = 96;
  large.height = 80;
  const std::vector<Unit> before = encode(small);
  const std::vector<Unit> after = encode(large);
  DecHarness dec(on_path());
  ASSERT_TRUE(dec.begin(kH264));
  EXPECT_EQ(dec.push(before), GST_FLOW_OK);
  EXPECT_EQ(dec.push(after), GST_FLOW_OK);
  EXPECT_TRUE(dec.end());
  const std::vector<Out> out = dec.take();
  ASSERT_EQ(out.size(), 12U);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(out[i].width(), i < 6 ? 64 : 96) << i;
    EXPECT_EQ(out[i].height(), i < 6 ? 64 : 80) << i;
    EXPECT_EQ(GST_BUFFER_PTS(out[i].buffer.get()), i * kFrameTime);
    EXPECT_EQ(out[i].is_cuda(), is_nvdec());
  }
  expect_right(out, 0, before);
  expect_right(out, 6, after);
  EXPECT_EQ(dec.stat("pushed"), 12U);
  EXPECT_EQ(dec.stat("dropped"), 0U);
  EXPECT_EQ(dec.stat("decode-errors"), 0U);
}

TEST_P(DecFormatTest, a_size_that_comes_back_has_its_caps_and_pictures_again) {
  const std::vector<Unit> small = encode({.pictures = 3, .textured = true});
  const std::vector<Unit> large =
      encode({.width = 96, .height = 80, .pictures = 3, .textured = true});
  DecHarness dec(on_path());
  const std::vector<Out> out = dec.play(kH264, small);
  ASSERT_EQ(out.size(), 3U);
  dec.flush();
  const std::vector<Out> next = dec.play(kH264, large);
  dec.flush();
  const std::vector<Out> again = dec.play(kH264, small);
  ASSERT_EQ(next.size(), 3U);
  ASSERT_EQ(again.size(), 3U);
  EXPECT_EQ(next[0].width(), 96);
  EXPECT_EQ(again[0].width(), 64);
  // NVDEC's decoder goes on where it was: the stand-in numbers its pictures.
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_TRUE(
        is_same(again[i].read(), is_nvdec() ? standin_picture(3 + i, 64, 64) : out[i].read()))
        << i;
  }
}

TEST_P(DecFormatTest, cropping_leaves_the_picture_from_its_corner_on) {
  // Left, top, right, bottom: 80 x 64 becomes 66 x 58.
  const std::vector<Unit> units =
      encode({.width = 80,
              .height = 64,
              .pictures = 3,
              .options = "preset=ultrafast,tune=zerolatency,x264-params='crop-rect=8,4,6,2'",
              .textured = true});
  ASSERT_FALSE(units.empty());
  DecHarness dec(on_path());
  const std::vector<Out> out = dec.play(kH264, units);
  const auto right =
      is_nvdec() ? std::vector<std::vector<std::uint8_t>>() : reference(AV_CODEC_ID_H264, units);
  ASSERT_EQ(out.size(), 3U);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_EQ(out[i].width(), 66);
    EXPECT_EQ(out[i].height(), 58);
    EXPECT_TRUE(is_same(out[i].read(), is_nvdec() ? standin_picture(i, 66, 58, 8, 4) : right[i]))
        << i;
  }
}

TEST_P(DecFormatTest, a_size_that_is_no_multiple_of_a_block_is_cropped) {
  const std::vector<Unit> units =
      encode({.width = 70, .height = 50, .pictures = 3, .textured = true});
  DecHarness dec(on_path());
  const std::vector<Out> out = dec.play(kH264, units);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].width(), 70);
  EXPECT_EQ(out[0].height(), 50);
  expect_right(out, 0, units);
}

TEST_P(DecFormatTest, interlaced_pictures_tell_their_first_field) {
  for (const bool is_top : {true, false}) {
    SCOPED_TRACE(is_top ? "top field first" : "bottom field first");
    close_warm_decoders();
    const std::vector<Unit> units =
        encode({.pictures = 4,
                .options = "preset=ultrafast,tune=zerolatency,x264-params=tff=1",
                .textured = true,
                .top_field_first = is_top});
    DecHarness dec(on_path());
    const std::vector<Out> out = dec.play(kH264, units);
    ASSERT_EQ(out.size(), 4U);
    for (const Out& each : out) {
      EXPECT_TRUE(each.has(GST_VIDEO_BUFFER_FLAG_INTERLACED));
      EXPECT_EQ(each.has(GST_VIDEO_BUFFER_FLAG_TFF), is_top);
      EXPECT_FALSE(each.has(GST_VIDEO_BUFFER_FLAG_RFF));
      EXPECT_EQ(each.text("interlace-mode"), "mixed") << "upstream said progressive";
    }
    expect_right(out, 0, units);
  }
}

TEST_P(DecFormatTest, the_interlace_mode_of_upstream_stays) {
  const std::vector<Unit> units =
      encode({.pictures = 2, .options = "preset=ultrafast,tune=zerolatency,x264-params=tff=1"});
  DecHarness dec(on_path());
  const std::vector<Out> out =
      dec.play((std::string(kH264) + ",interlace-mode=interleaved").c_str(), units);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].text("interlace-mode"), "interleaved");
}

TEST_P(DecFormatTest, progressive_pictures_have_no_flags_of_fields) {
  DecHarness dec(on_path());
  const std::vector<Out> out = dec.play(kH264, encode({.pictures = 2}));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_FALSE(out[0].has(GST_VIDEO_BUFFER_FLAG_INTERLACED));
  EXPECT_FALSE(out[0].has(GST_VIDEO_BUFFER_FLAG_TFF));
  EXPECT_EQ(out[0].text("interlace-mode"), "progressive");
}

TEST_P(DecFormatTest, colorimetry_is_upstreams_and_else_the_streams) {
  const std::vector<Unit> units =
      encode({.pictures = 2,
              .options = "preset=ultrafast,tune=zerolatency,color_range=pc,colorspace=bt470bg,"
                         "color_trc=bt709,color_primaries=bt709"});
  DecHarness dec(on_path());
  std::vector<Out> out = dec.play(kH264, units);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].text("colorimetry"), "1:4:5:1");  // 0 to 255, BT.601, BT.709, BT.709
  dec.flush();
  out = dec.play((std::string(kH264) + ",colorimetry=bt2020").c_str(), units);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].text("colorimetry"), "bt2020");
}

TEST_P(DecFormatTest, frame_has_the_colorimetry_of_its_caps) {
  const std::vector<Unit> units = encode({.pictures = 1, .options = kIntra});
  DecHarness dec(on_path());
  const std::vector<Out> out =
      dec.play((std::string(kH264) + ",colorimetry=smpte240m").c_str(), units);
  ASSERT_EQ(out.size(), 1U);
  GstVideoColorimetry color;
  gst_nv12_slot_frame_get_colorimetry(gst_buffer_get_nv12_slot_meta(out[0].buffer.get())->frame,
                                      &color);
  EXPECT_TRUE(gst_video_colorimetry_matches(&color, GST_VIDEO_COLORIMETRY_SMPTE240M));
}

TEST_P(DecFormatTest, pixel_aspect_ratio_is_upstreams_and_else_the_streams) {
  const std::vector<Unit> units =
      encode({.pictures = 2, .options = "preset=ultrafast,tune=zerolatency,aspect=4/3"});
  const auto ratio = [](const Out& out) {
    int numerator = 0;
    int denominator = 1;
    gst_structure_get_fraction(gst_caps_get_structure(out.caps.get(), 0), "pixel-aspect-ratio",
                               &numerator, &denominator);
    return std::to_string(numerator) + "/" + std::to_string(denominator);
  };
  DecHarness dec(on_path());
  std::vector<Out> out = dec.play(kH264, units);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(ratio(out[0]), "4/3");
  dec.flush();
  out = dec.play((std::string(kH264) + ",pixel-aspect-ratio=(fraction)12/11").c_str(), units);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(ratio(out[0]), "12/11");
}

/// What BT.601 makes of a colour.
int luma_of(int red, int green, int blue, GstVideoColorRange range) {
  const double full = 0.299 * red + 0.587 * green + 0.114 * blue;
  return static_cast<int>(range == GST_VIDEO_COLOR_RANGE_0_255 ? full + 0.5
                                                               : 16.5 + full * 219 / 255);
}

// Whatever upstream says of a stream that is not YUV.
TEST_P(DecFormatTest, caps_name_the_matrix_and_the_range_that_rgb_was_written_with) {
  if (is_nvdec()) GTEST_SKIP() << "NVDEC does not decode it";
  NEEDS_ENCODER("libx265");
  for (const char* range : {"limited", "full"}) {
    const std::string options =
        std::string("preset=ultrafast,x265-params=log-level=none:pools=none:lossless=1:range=") +
        range;
    const std::vector<Unit> units = encode({.encoder = "libx265",
                                            .pictures = 2,
                                            .pixels = AV_PIX_FMT_GBRP,
                                            .options = options.c_str()});
    for (const char* upstream : {"", ",colorimetry=sRGB", ",colorimetry=(string)2:1:7:1"}) {
      SCOPED_TRACE(std::string(range) + upstream);
      DecHarness dec(on_path());
      const std::vector<Out> out = dec.play((std::string(kH265) + upstream).c_str(), units);
      ASSERT_EQ(out.size(), 2U);
      GstVideoColorimetry color;
      ASSERT_TRUE(gst_video_colorimetry_from_string(&color, out[0].text("colorimetry").c_str()));
      EXPECT_EQ(color.matrix, GST_VIDEO_COLOR_MATRIX_BT601) << out[0].text("colorimetry");
      EXPECT_NEAR(out[0].read()[0], luma_of(128, decode::level(0), 128, color.range), 2)
          << out[0].text("colorimetry");
    }
  }
}

// ---- More than 8 bits -------------------------------------------------------------------------

constexpr Encoding kTenBits{
    .encoder = "libx265",
    .pictures = 6,
    .pixels = AV_PIX_FMT_YUV420P10,
    .options =
        "preset=ultrafast,x265-params='log-level=none:pools=none:bframes=2:hdr10=1:"
        "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited:"
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
        "L(10000000,50):max-cll=1000,400'",
    .textured = true};

TEST_P(DecFormatTest, pictures_of_10_bits_are_rounded_to_8) {
  NEEDS_ENCODER(kTenBits.encoder);
  const std::vector<Unit> units = encode(kTenBits);
  DecHarness dec(on_path());
  const std::vector<Out> out = dec.play(kH265, units);
  ASSERT_EQ(out.size(), 6U);
  expect_right(out, 0, units, AV_CODEC_ID_HEVC);
  EXPECT_EQ(dec.path(), GetParam());
}

TEST_P(DecFormatTest, pictures_of_10_bits_are_rounded_on_their_way_to_the_host_too) {
  NEEDS_ENCODER(kTenBits.encoder);
  const std::vector<Unit> units = encode(kTenBits);
  DecHarness dec(on_path(), "video/x-raw,format=NV12");
  const std::vector<Out> out = dec.play(kH265, units);
  ASSERT_EQ(out.size(), 6U);
  EXPECT_FALSE(out[0].is_cuda());
  expect_right(out, 0, units, AV_CODEC_ID_HEVC);
}

TEST_P(DecFormatTest, caps_pass_on_what_the_stream_says_of_its_brightness) {
  NEEDS_ENCODER(kTenBits.encoder);
  DecHarness dec(on_path());
  const std::vector<Out> out = dec.play(kH265, encode(kTenBits));
  ASSERT_EQ(out.size(), 6U);
  for (const Out& each : out) {
    EXPECT_EQ(each.text("mastering-display-info"),
              "34000:16000:13250:34500:7500:3000:15635:16450:10000000:50");
    EXPECT_EQ(each.text("content-light-level"), "1000:400");
    EXPECT_EQ(each.text("colorimetry"), "bt2100-pq");
  }
}

TEST_P(DecFormatTest, caps_pass_on_what_upstream_says_of_the_brightness) {
  DecHarness dec(on_path());
  const std::vector<Out> out = dec.play(
      (std::string(kH264) +
       ",content-light-level=(string)\"500:200\",mastering-display-info=(string)\"34000:16000:13250"
       ":34500:7500:3000:15635:16450:20000000:1\"")
          .c_str(),
      encode({.pictures = 2}));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].text("content-light-level"), "500:200");
  EXPECT_EQ(out[0].text("mastering-display-info"),
            "34000:16000:13250:34500:7500:3000:15635:16450:20000000:1");
}

}  // namespace
}  // namespace nv12slot::gst
