// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The small functions below the writer: halves, bytes, colour, and the loops for different
// processors.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "colour.h"
#include "host_tensor.h"
#include "nv12_to_tensor.h"
#include "tensor_job.h"
#include "tensor_oracle.h"
#include "tensor_rows.h"

namespace nv12slot {

extern const TensorRows kTensorRowsBaseline;

namespace {

TEST(HalfTest, every_half_comes_back_as_itself) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const double value = half_value(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(to_half(static_cast<float>(value)), bits);
  }
}

TEST(HalfTest, what_lies_between_two_halves_becomes_the_nearer_one_and_a_tie_the_even_one) {
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    const double middle = (half_value(static_cast<std::uint16_t>(bits)) +
                           half_value(static_cast<std::uint16_t>(bits + 1))) /
                          2;
    const auto tie = static_cast<float>(middle);  // exact: one bit more
    ASSERT_EQ(static_cast<double>(tie), middle);
    EXPECT_EQ(to_half(std::nextafter(tie, 0.0F)), bits);
    EXPECT_EQ(to_half(tie), bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(to_half(std::nextafter(tie, 1e9F)), bits + 1);
    EXPECT_EQ(to_half(-tie), 0x8000 | (bits % 2 == 0 ? bits : bits + 1));
  }
}

TEST(HalfTest, what_is_too_large_becomes_infinity_and_nan_stays) {
  EXPECT_EQ(to_half(65519.996F), 0x7bff);
  EXPECT_EQ(to_half(65520.0F), 0x7c00);
  EXPECT_EQ(to_half(1e30F), 0x7c00);
  EXPECT_EQ(to_half(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_TRUE(std::isnan(half_value(to_half(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(ByteTest, values_are_rounded_to_the_nearest_and_saturated) {
  EXPECT_EQ(to_byte(0.49F), 0);
  EXPECT_EQ(to_byte(0.5F), 1);
  EXPECT_EQ(to_byte(254.4F), 254);
  EXPECT_EQ(to_byte(254.6F), 255);
  EXPECT_EQ(to_byte(-1000.0F), 0);
  EXPECT_EQ(to_byte(1e20F), 255);
}

TEST(ColourTest, greys_have_no_colour_and_end_at_black_and_white) {
  for (const ColourMatrix matrix :
       {ColourMatrix::kBt601, ColourMatrix::kBt709, ColourMatrix::kBt2020, ColourMatrix::kFcc,
        ColourMatrix::kSmpte240m}) {
    for (const auto& sum : rgb_from_yuv(matrix, false)) {
      EXPECT_NEAR(sum[0] * 16 + (sum[1] + sum[2]) * 128 + sum[3], 0, 1e-9);
      EXPECT_NEAR(sum[0] * 235 + (sum[1] + sum[2]) * 128 + sum[3], 255, 1e-9);
    }
    for (const auto& sum : rgb_from_yuv(matrix, true)) {
      EXPECT_NEAR((sum[1] + sum[2]) * 128 + sum[3], 0, 1e-9);
      EXPECT_NEAR(sum[0] * 255 + (sum[1] + sum[2]) * 128 + sum[3], 255, 1e-9);
    }
  }
}

// The numbers that are printed everywhere (JFIF; Rec. 709 with limited range).
TEST(ColourTest, the_sums_are_the_published_ones) {
  const RgbFromYuv jfif = rgb_from_yuv(ColourMatrix::kBt601, true);
  EXPECT_NEAR(jfif[0][2], 1.402, 1e-6);
  EXPECT_NEAR(jfif[1][1], -0.344136, 1e-6);
  EXPECT_NEAR(jfif[1][2], -0.714136, 1e-6);
  EXPECT_NEAR(jfif[2][1], 1.772, 1e-6);
  const RgbFromYuv hd = rgb_from_yuv(ColourMatrix::kBt709, false);
  EXPECT_NEAR(hd[0][0], 1.164384, 1e-6);
  EXPECT_NEAR(hd[0][2], 1.792741, 1e-6);
  EXPECT_NEAR(hd[1][1], -0.213249, 1e-6);
  EXPECT_NEAR(hd[1][2], -0.532909, 1e-6);
  EXPECT_NEAR(hd[2][1], 2.112402, 1e-6);
}

TEST(RowsTest, every_processor_gives_the_same_bytes) {
  if (&tensor_rows() == &kTensorRowsBaseline) GTEST_SKIP() << "this processor has only one kind";
  for (const TensorCase& it : tensor_cases()) {
    Picture picture(it.width, it.height, it.width + 3, it.width + 5);
    picture.draw(9);
    std::vector<std::uint8_t> of_this(it.spec.frame_bytes());
    std::vector<std::uint8_t> of_all(it.spec.frame_bytes());
    const auto write = [&](std::vector<std::uint8_t>& tensor, const TensorRows& rows) {
      const auto address = reinterpret_cast<std::uintptr_t>(tensor.data());
      EXPECT_TRUE(write_host_tensor(
          make_tensor_job(it.spec, {picture.planes(), it.width, it.height, it.colour, address}),
          rows));
    };
    write(of_this, tensor_rows());
    write(of_all, kTensorRowsBaseline);
    EXPECT_TRUE(of_this == of_all) << testing::PrintToString(it);
  }
}

// What the device does, pixel by pixel.
TEST(RowsTest, rows_give_what_single_pixels_give) {
  for (const TensorCase& it : tensor_cases()) {
    Picture picture(it.width, it.height, it.width, it.width);
    picture.draw(77);
    std::vector<std::uint8_t> by_row(it.spec.frame_bytes());
    std::vector<std::uint8_t> by_pixel(it.spec.frame_bytes());
    TensorJob job = make_tensor_job(it.spec, {picture.planes(), it.width, it.height, it.colour,
                                              reinterpret_cast<std::uintptr_t>(by_row.data())});
    ASSERT_TRUE(write_host_tensor(job, tensor_rows()));
    job.tensor = reinterpret_cast<std::uintptr_t>(by_pixel.data());
    for (std::uint32_t y = 0; y < job.height; ++y) {
      for (std::uint32_t x = 0; x < job.width; ++x) write_pixel(job, x, y);
    }
    const std::vector<double> rows = values_of(it.spec, by_row);
    const std::vector<double> pixels = values_of(it.spec, by_pixel);
    std::size_t different = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      // Fused multiply-adds may round another way.
      if (std::abs(rows[i] - pixels[i]) >
          2 * tolerance(it, channel_of_element(it.spec, i), pixels[i])) {
        ++different;
      }
    }
    EXPECT_EQ(different, 0u) << testing::PrintToString(it);
  }
}

}  // namespace
}  // namespace nv12slot
