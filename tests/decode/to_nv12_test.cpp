// SPDX-License-Identifier: LGPL-2.1-or-later
#include "to_nv12.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "../pool/picture.h"
#include "ffmpeg.h"

namespace nv12slot::decode {
namespace {

/// A picture of the CPU whose planes end with their last sample, so that a sanitizer sees a read
/// beyond it; rows are `padding` bytes apart from each other.
class Source {
 public:
  Source(AVPixelFormat pixels, int width, int height, std::size_t padding)
      : format_(*av_pix_fmt_desc_get(pixels)) {
    frame_->format = pixels;
    frame_->width = width;
    frame_->height = height;
    for (int plane = 0; plane < av_pix_fmt_count_planes(pixels); ++plane) {
      const int rows = plane == 0 ? height : AV_CEIL_RSHIFT(height, int{format_.log2_chroma_h});
      const int row_bytes = bytes_of_row(plane, width);
      const std::size_t pitch = static_cast<std::size_t>(row_bytes) + padding;
      planes_.emplace_back(pitch * static_cast<std::size_t>(rows - 1) +
                           static_cast<std::size_t>(row_bytes));
      frame_->linesize[plane] = static_cast<int>(pitch);
    }
    for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
      frame_->data[plane] = planes_[plane].data();
    }
  }

  /// A byte, or one of 16 bits.
  void put(int plane, int x, int y, unsigned value) {
    std::uint8_t* const row = frame_->data[plane] + y * frame_->linesize[plane];
    if (format_.comp[0].depth > 8) {
      const auto wide = static_cast<std::uint16_t>(value);
      std::memcpy(row + 2 * x, &wide, 2);
    } else {
      row[x] = static_cast<std::uint8_t>(value);
    }
  }
  [[nodiscard]] AVFrame& frame() { return *frame_; }

 private:
  [[nodiscard]] int bytes_of_row(int plane, int width) const {
    // Of the first component that lies in that plane.
    for (int i = 0; i < format_.nb_components; ++i) {
      const AVComponentDescriptor& component = format_.comp[i];
      if (component.plane != plane) continue;
      const bool is_chroma = (format_.flags & AV_PIX_FMT_FLAG_RGB) == 0 && i > 0;
      return component.step *
             (is_chroma ? AV_CEIL_RSHIFT(width, int{format_.log2_chroma_w}) : width);
    }
    return 0;
  }

  const AVPixFmtDescriptor& format_;
  FramePtr frame_{av_frame_alloc()};
  std::vector<std::vector<std::uint8_t>> planes_;
};

constexpr int kWidth = 70, kHeight = 34;
constexpr std::uint8_t kUntouched = 0xee;

unsigned sample(int plane, int x, int y) {
  return static_cast<unsigned>(x * 7 + y * 13 + plane * 101);
}
/// The value that a sample of so many bits has, over the whole range.
unsigned sample_of(int plane, int x, int y, int bits) {
  const unsigned most = (1u << bits) - 1;
  // Those around the places where rounding changes come often, the largest among them.
  switch (sample(plane, x, y) % 5) {
    case 0:
      return most - sample(plane, x, y) % 4;
    case 1:
      return sample(plane, x, y) * 11 % (most + 1);
    default:
      return sample(plane, x, y) * 37 % (most + 1);
  }
}
/// The 8-bit value nearest to one of `bits` bits, halves upwards.
std::uint8_t to_8_bits(unsigned value, int bits) {
  const double step = std::pow(2.0, bits - 8);
  return static_cast<std::uint8_t>(std::min(255.0, std::floor(value / step + 0.5)));
}

struct Pitches {
  std::size_t source_padding, y, uv;
};

/// How a format keeps its chroma.
struct Layout {
  AVPixelFormat pixels;
  int bits;
  enum { kPlanar, kInterleaved, kNone } chroma;
};

class PlainTest : public testing::TestWithParam<std::tuple<Layout, Pitches>> {};

TEST_P(PlainTest, keeps_or_rounds_the_samples_and_leaves_the_padding) {
  const auto& [layout, pitches] = GetParam();
  Source source(layout.pixels, kWidth, kHeight, pitches.source_padding);
  const auto value = [bits = layout.bits](int plane, int x, int y) {
    return sample_of(plane, x, y, bits);
  };
  std::vector<std::uint8_t> expected;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      source.put(0, x, y, value(0, x, y));
      expected.push_back(to_8_bits(value(0, x, y), layout.bits));
    }
  }
  for (int y = 0; y < kHeight / 2; ++y) {
    for (int x = 0; x < kWidth / 2; ++x) {
      for (const int plane : {1, 2}) {
        if (layout.chroma == Layout::kNone) {
          expected.push_back(128);
          continue;
        }
        const unsigned chroma = value(plane, x, y);
        if (layout.chroma == Layout::kPlanar) source.put(plane, x, y, chroma);
        if (layout.chroma == Layout::kInterleaved) source.put(1, 2 * x + plane - 1, y, chroma);
        expected.push_back(to_8_bits(chroma, layout.bits));
      }
    }
  }
  Picture picture(kWidth, kHeight, pitches.y, pitches.uv, kUntouched);
  ToNv12 converter;
  ASSERT_TRUE(converter.write(source.frame(), picture.planes(), kWidth, kHeight));
  EXPECT_EQ(picture.samples(), expected);
  EXPECT_TRUE(picture.padding_is(kUntouched));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, PlainTest,
    testing::Combine(testing::Values(Layout{AV_PIX_FMT_YUV420P, 8, Layout::kPlanar},
                                     Layout{AV_PIX_FMT_YUVJ420P, 8, Layout::kPlanar},
                                     Layout{AV_PIX_FMT_NV12, 8, Layout::kInterleaved},
                                     Layout{AV_PIX_FMT_GRAY8, 8, Layout::kNone},
                                     Layout{AV_PIX_FMT_YUV420P9, 9, Layout::kPlanar},
                                     Layout{AV_PIX_FMT_YUV420P10, 10, Layout::kPlanar},
                                     Layout{AV_PIX_FMT_YUV420P12, 12, Layout::kPlanar}),
                     // Tight, as slots are, and everything odd that 16-bit rows may be.
                     testing::Values(Pitches{0, kWidth, kWidth}, Pitches{58, 512, 512},
                                     Pitches{6, 73, 75})),
    [](const auto& each) {
      const Pitches& pitches = std::get<1>(each.param);
      return std::string(av_get_pix_fmt_name(std::get<0>(each.param).pixels)) + "_" +
             std::to_string(pitches.source_padding) + "_" + std::to_string(pitches.y);
    });

TEST(ToNv12, a_smaller_picture_is_the_upper_left_part) {
  Source source(AV_PIX_FMT_YUV420P, kWidth, kHeight, 1);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) source.put(0, x, y, sample(0, x, y));
  }
  Picture picture(8, 4, 8, 8, kUntouched);
  ToNv12 converter;
  ASSERT_TRUE(converter.write(source.frame(), picture.planes(), 8, 4));
  const std::vector<std::uint8_t> samples = picture.samples();
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 8; ++x) {
      EXPECT_EQ(samples[static_cast<std::size_t>(8 * y + x)],
                static_cast<std::uint8_t>(sample(0, x, y)));
    }
  }
}

// ---- Through libswscale
// ---------------------------------------------------------------------------

void expect_near(const std::vector<std::uint8_t>& found, const std::vector<double>& expected,
                 double most) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], most) << "byte " << i;
  }
}

/// Smooth, from one end of the range to the other, so that filters of chroma change little.
unsigned ramp(int plane, int x, int y) {
  if (plane == 0) return static_cast<unsigned>(x * 255 / (kWidth - 1));
  return static_cast<unsigned>(plane == 1 ? 255 - x * 3 : 10 + 3 * y + x);
}

// 4:2:2 and 4:4:4 of a JPEG: Y stays as it is, from 0 to 255; U and V are averages.
TEST(ToNv12, chroma_is_averaged_and_the_full_range_kept) {
  for (const AVPixelFormat pixels :
       {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P}) {
    SCOPED_TRACE(av_get_pix_fmt_name(pixels));
    const int step = pixels == AV_PIX_FMT_YUVJ422P || pixels == AV_PIX_FMT_YUV422P ? 2 : 1;
    Source source(pixels, kWidth, kHeight, 26);
    source.frame().color_range = AVCOL_RANGE_JPEG;
    std::vector<double> expected;
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        source.put(0, x, y, ramp(0, x, y));
        expected.push_back(ramp(0, x, y));
        for (const int plane : {1, 2}) {
          if (x % step == 0) source.put(plane, x / step, y, ramp(plane, x, y));
        }
      }
    }
    for (int y = 0; y < kHeight; y += 2) {
      for (int x = 0; x < kWidth; x += 2) {
        for (const int plane : {1, 2}) {
          double sum = 0;
          for (const int row : {0, 1}) sum += ramp(plane, x, y + row);
          // Of 4:4:4 the sample at the left and its neighbour.
          const double right =
              step == 1 ? 0.5 * (ramp(plane, x + 1, y) * 1.0 - ramp(plane, x, y)) : 0;
          expected.push_back(sum / 2 + right);
        }
      }
    }
    Picture picture(kWidth, kHeight, 512, 512, kUntouched);
    ToNv12 converter;
    ASSERT_TRUE(converter.write(source.frame(), picture.planes(), kWidth, kHeight));
    expect_near(picture.samples(), expected, 2);
  }
}

TEST(ToNv12, rgb_becomes_yuv_of_the_range_that_the_frame_tells) {
  for (const AVColorRange range : {AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG}) {
    Source source(AV_PIX_FMT_BGR24, kWidth, kHeight, 2);
    source.frame().color_range = range;
    const double scale_y = range == AVCOL_RANGE_JPEG ? 1 : 219.0 / 255;
    const double scale_uv = range == AVCOL_RANGE_JPEG ? 1 : 224.0 / 255;
    const double offset = range == AVCOL_RANGE_JPEG ? 0 : 16;
    // One colour, dark to bright from left to right in steps of 2 pixels. BT.601.
    const auto gray = [](int x) { return x / 2 * 7.0; };
    std::vector<double> expected;
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) {
        const double b = gray(x), g = gray(x) / 2, r = gray(x) / 4;
        source.put(0, 3 * x, y, static_cast<unsigned>(b));
        source.put(0, 3 * x + 1, y, static_cast<unsigned>(g));
        source.put(0, 3 * x + 2, y, static_cast<unsigned>(r));
        expected.push_back(offset + scale_y * (0.299 * r + 0.587 * g + 0.114 * b));
      }
    }
    for (int y = 0; y < kHeight; y += 2) {
      for (int x = 0; x < kWidth; x += 2) {
        const double b = gray(x), g = gray(x) / 2, r = gray(x) / 4;
        const double luma = 0.299 * r + 0.587 * g + 0.114 * b;
        expected.push_back(128 + scale_uv * (b - luma) / 1.772);
        expected.push_back(128 + scale_uv * (r - luma) / 1.402);
      }
    }
    Picture picture(kWidth, kHeight, 512, 512, kUntouched);
    ToNv12 converter;
    ASSERT_TRUE(converter.write(source.frame(), picture.planes(), kWidth, kHeight));
    expect_near(picture.samples(), expected, 2);
  }
}

TEST(ToNv12, one_converter_takes_pictures_of_any_kind_one_after_the_other) {
  ToNv12 converter;
  for (const AVPixelFormat pixels : {AV_PIX_FMT_YUV444P, AV_PIX_FMT_GRAY8, AV_PIX_FMT_YUV422P,
                                     AV_PIX_FMT_YUV444P10, AV_PIX_FMT_YUV444P}) {
    Source source(pixels, kWidth, kHeight, 0);
    const unsigned level = pixels == AV_PIX_FMT_YUV444P10 ? 400 : 100;
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x) source.put(0, x, y, level);
    }
    Picture picture(kWidth, kHeight, 512, 512);
    ASSERT_TRUE(converter.write(source.frame(), picture.planes(), kWidth, kHeight));
    EXPECT_NEAR(picture.samples()[0], 100, 1) << av_get_pix_fmt_name(pixels);
  }
}

int g_messages = 0;

// libswscale sets up tables for some ms each time, and says of "yuvj" formats that they are old.
TEST(ToNv12, libswscale_is_set_up_once_for_pictures_of_one_kind) {
  for (const AVPixelFormat pixels : {AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV422P}) {
    Source source(pixels, kWidth, kHeight, 0);
    Picture picture(kWidth, kHeight, 512, 512);
    ToNv12 converter;
    g_messages = 0;
    av_log_set_level(AV_LOG_DEBUG);
    av_log_set_callback([](void*, int, const char*, va_list) { ++g_messages; });
    ASSERT_TRUE(converter.write(source.frame(), picture.planes(), kWidth, kHeight));
    const int first = std::exchange(g_messages, 0);
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(converter.write(source.frame(), picture.planes(), kWidth, kHeight));
    }
    av_log_set_callback(av_log_default_callback);
    EXPECT_EQ(g_messages, 0) << av_get_pix_fmt_name(pixels) << ", " << first << " at first";
  }
}

TEST(ToNv12, a_format_that_libswscale_does_not_take_is_refused_with_its_name) {
  FramePtr frame(av_frame_alloc());
  frame->format = AV_PIX_FMT_CUDA;
  Picture picture(2, 2, 2, 2);
  ToNv12 converter;
  const Status status = converter.write(*frame, picture.planes(), 2, 2);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.code(), Errc::kInvalidArgument);
  EXPECT_NE(status.error().message.find("cuda"), std::string::npos) << status.error().message;
}

}  // namespace
}  // namespace nv12slot::decode
