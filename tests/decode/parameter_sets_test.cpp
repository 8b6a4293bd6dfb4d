// SPDX-License-Identifier: LGPL-2.1-or-later
#include "parameter_sets.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "encode.h"

namespace nv12slot::decode {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes sets(AVCodecID codec, const Bytes& unit) {
  // Of its own size, so that a sanitizer sees a read beyond it.
  const Bytes exact(unit.begin(), unit.end());
  const std::string found = parameter_sets(codec, exact);
  return {found.begin(), found.end()};
}
Bytes h264(const Bytes& unit) {
  return sets(AV_CODEC_ID_H264, unit);
}
Bytes h265(const Bytes& unit) {
  return sets(AV_CODEC_ID_HEVC, unit);
}

TEST(ParameterSets, the_sps_is_found_after_short_and_long_start_codes) {
  EXPECT_EQ(h264({0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 4}), (Bytes{0x67, 1, 2}));
  EXPECT_EQ(h264({0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4}),
            (Bytes{0x67, 1, 2}));
}

TEST(ParameterSets, start_codes_of_either_length_give_the_same) {
  EXPECT_EQ(h264({0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x65}),
            h264({0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x65}));
}

TEST(ParameterSets, zeros_behind_a_set_are_not_part_of_it) {
  EXPECT_EQ(h264({0, 0, 1, 0x67, 1, 0, 0, 0, 0, 0, 1, 0x65}), (Bytes{0x67, 1}));
  EXPECT_EQ(h264({0, 0, 1, 0x67, 1, 0, 0, 0}), (Bytes{0x67, 1}));
}

TEST(ParameterSets, zeros_inside_a_set_are) {
  EXPECT_EQ(h264({0, 0, 1, 0x67, 1, 0, 0, 3, 1, 0, 5}), (Bytes{0x67, 1, 0, 0, 3, 1, 0, 5}));
}

TEST(ParameterSets, other_units_before_them_are_passed_over) {
  EXPECT_EQ(h264({0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 6, 5, 1, 0x80, 0, 0, 1, 0x67, 1}),
            (Bytes{0x67, 1}));
}

TEST(ParameterSets, several_come_one_after_the_other) {
  EXPECT_EQ(h264({0, 0, 1, 0x67, 1, 0, 0, 1, 0x27, 2}), (Bytes{0x67, 1, 0x27, 2}));
}

TEST(ParameterSets, h265_has_video_and_sequence_parameter_sets) {
  // VPS 32, SPS 33, PPS 34, slice IDR_W_RADL 19.
  EXPECT_EQ(h265({0, 0, 0, 1, 0x40, 1, 7, 0, 0, 0, 1,    0x42, 1,
                  8, 0, 0, 1, 0x44, 1, 9, 0, 0, 1, 0x26, 1,    5}),
            (Bytes{0x40, 1, 7, 0x42, 1, 8}));
}

TEST(ParameterSets, vp8_has_the_size_in_its_key_frames) {
  const auto vp8 = [](const Bytes& frame) { return sets(AV_CODEC_ID_VP8, frame); };
  // Bits above the 14 of a side ask for scaling when shown.
  EXPECT_EQ(vp8({0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xf0, 0x80, 7}),
            (Bytes{0x40, 0x01, 0xf0, 0x00}));
  EXPECT_EQ(vp8({0x11, 2, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xf0, 0x00, 7}), Bytes{}) << "no key frame";
  EXPECT_EQ(vp8({0x10, 2, 0, 0x9d, 1, 0x2b, 0x40, 0x01, 0xf0, 0x00, 7}), Bytes{}) << "damaged";
  EXPECT_EQ(vp8({0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xf0}), Bytes{}) << "ends early";
}

TEST(ParameterSets, the_search_ends_at_the_first_slice) {
  for (const std::uint8_t slice : {0x61, 0x62, 0x63, 0x64, 0x65}) {
    EXPECT_EQ(h264({0, 0, 1, slice, 1, 0, 0, 1, 0x67, 2}), Bytes{});
  }
  EXPECT_EQ(h265({0, 0, 1, 0x02, 1, 5, 0, 0, 1, 0x42, 1, 8}), Bytes{});
  EXPECT_EQ(h265({0, 0, 1, 0x26, 1, 5, 0, 0, 1, 0x42, 1, 8}), Bytes{});
}

TEST(ParameterSets, a_unit_without_any_has_none) {
  EXPECT_EQ(h264({0, 0, 1, 0x68, 1}), Bytes{});
  EXPECT_EQ(h264({}), Bytes{});
  EXPECT_EQ(h264({1, 2, 3, 4, 5, 6, 7}), Bytes{});
}

TEST(ParameterSets, data_that_ends_early_is_no_problem) {
  const Bytes whole = {0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x65, 4};
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes found = h264({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    const std::size_t expected = size <= 4 ? 0 : std::min<std::size_t>(size - 4, 3);
    EXPECT_EQ(found.size(), expected) << size;
  }
  EXPECT_EQ(h265({0, 0, 1}), Bytes{});
  EXPECT_EQ(h265({0, 0, 1, 0x42}), Bytes{0x42});
}

TEST(ParameterSets, sets_that_come_again_are_had_once) {
  EXPECT_EQ(h264({0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x67, 3}),
            (Bytes{0x67, 1, 2, 0x67, 3}));
}

TEST(ParameterSets, a_unit_full_of_sets_takes_no_time) {
  Bytes unit;
  constexpr unsigned kCount = 200000;
  for (unsigned i = 0; i < kCount; ++i) {
    const auto bits = [&](unsigned shift) {
      return static_cast<std::uint8_t>((i >> shift) | 0x80);
    };
    unit.insert(unit.end(), {0, 0, 1, 0x67, bits(0), bits(7), bits(14)});
  }
  const auto began = std::chrono::steady_clock::now();
  EXPECT_GT(h264(unit).size(), kCount);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10))
      << "it took minutes";
}

TEST(ParameterSets, other_codecs_have_none) {
  EXPECT_EQ(sets(AV_CODEC_ID_MPEG2VIDEO, {0, 0, 1, 0x67, 1}), Bytes{});
  EXPECT_EQ(sets(AV_CODEC_ID_MJPEG, {0, 0, 1, 0x67, 1}), Bytes{});
}

TEST(ParameterSets, an_idr_picture_is_told_by_its_first_slice) {
  const auto starts_anew = [](const Bytes& unit) { return is_idr(unit); };
  EXPECT_TRUE(starts_anew({0, 0, 1, 0x65, 1}));
  EXPECT_TRUE(
      starts_anew({0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 1, 0, 0, 1, 0x25}));
  EXPECT_FALSE(starts_anew({0, 0, 1, 0x61, 1, 0, 0, 1, 0x65}));
  EXPECT_FALSE(starts_anew({0, 0, 1, 0x67, 1}));
  EXPECT_FALSE(starts_anew({0, 0, 1}));
  EXPECT_FALSE(starts_anew({}));
}

TEST(ParameterSets, of_real_streams_they_differ_where_the_size_does) {
  NEEDS_ENCODER("libx264");
  const auto of = [](int width) {
    const std::vector<Unit> units = encode({.width = width, .pictures = 2});
    return std::pair(h264(units[0].data), h264(units[1].data));
  };
  EXPECT_FALSE(of(64).first.empty());
  EXPECT_EQ(of(64).first, of(64).first);
  EXPECT_NE(of(64).first, of(96).first);
  EXPECT_TRUE(of(64).second.empty()) << "a P picture";
}

}  // namespace
}  // namespace nv12slot::decode
