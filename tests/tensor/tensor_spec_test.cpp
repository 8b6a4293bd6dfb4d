// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_spec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace nv12slot {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// That the spec is refused, and that the message names what is wrong with it.
void expect_refused(const TensorSpec& spec, const std::string& word) {
  const Status status = spec.validate();
  ASSERT_FALSE(status) << word;
  EXPECT_EQ(status.code(), Errc::kInvalidArgument);
  EXPECT_NE(status.error().message.find(word), std::string::npos) << status.error().message;
}

TEST(TensorSpecTest, the_usual_one_is_640_square_floats_from_0_to_1) {
  const TensorSpec spec;
  EXPECT_TRUE(spec.validate());
  EXPECT_EQ(spec.frame_bytes(), 640u * 640 * 3 * 4);
}

TEST(TensorSpecTest, a_frame_has_three_values_a_pixel_of_the_types_size) {
  TensorSpec spec{.width = 7, .height = 5};
  spec.type = TensorType::kU8;
  EXPECT_EQ(spec.frame_bytes(), 105u);
  spec.type = TensorType::kF16;
  EXPECT_EQ(spec.frame_bytes(), 210u);
  spec.type = TensorType::kF32;
  EXPECT_EQ(spec.frame_bytes(), 420u);
}

TEST(TensorSpecTest, the_largest_frame_is_counted_without_overflow) {
  const TensorSpec spec{.width = kMaxTensorSide, .height = kMaxTensorSide};
  EXPECT_TRUE(spec.validate());
  EXPECT_EQ(spec.frame_bytes(), 3221225472u);
}

TEST(TensorSpecTest, sides_are_from_1_to_16384) {
  EXPECT_TRUE((TensorSpec{.width = 1, .height = 1}.validate()));
  EXPECT_TRUE((TensorSpec{.width = 16384, .height = 1}.validate()));
  expect_refused({.width = 0}, "0 x 640");
  expect_refused({.height = 0}, "640 x 0");
  expect_refused({.width = 16385}, "from 1 to 16384");
  expect_refused({.height = 0xffffffff}, "4294967295");
}

TEST(TensorSpecTest, a_std_of_0_is_refused_with_its_channel) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    for (const float std : {0.0F, -0.0F, kNaN, kInfinity}) {
      TensorSpec spec;
      spec.std[channel] = std;
      expect_refused(spec, "std " + std::to_string(channel) + " is ");
      expect_refused(spec, "it must be finite and not 0");
    }
  }
}

TEST(TensorSpecTest, a_std_that_makes_values_overflow_is_refused) {
  TensorSpec spec;
  spec.std[1] = 1e-45F;
  expect_refused(spec, "overflow");
}

TEST(TensorSpecTest, what_is_not_finite_is_refused_by_its_name) {
  for (const float value : {kNaN, kInfinity, -kInfinity}) {
    expect_refused({.scale = value}, "scale");
    expect_refused({.mean = {0, 0, value}}, "mean 2");
    expect_refused({.border = value}, "border");
  }
}

TEST(TensorSpecTest, a_border_is_a_value_of_a_picture) {
  EXPECT_TRUE(TensorSpec{.border = 0}.validate());
  EXPECT_TRUE(TensorSpec{.border = 255}.validate());
  expect_refused({.border = -0.5F}, "border");
  expect_refused({.border = 255.5F}, "border");
}

struct PlaceCase {
  std::uint32_t picture_width, picture_height, width, height;
  std::uint32_t x, y, placed_width, placed_height;
};

void expect_placed(ScaleMode mode, const PlaceCase& it) {
  const Placement placement = place({.width = it.width, .height = it.height, .scale_mode = mode},
                                    it.picture_width, it.picture_height);
  const std::string what =
      std::to_string(it.picture_width) + " x " + std::to_string(it.picture_height);
  EXPECT_EQ(placement.x, it.x) << what;
  EXPECT_EQ(placement.y, it.y) << what;
  EXPECT_EQ(placement.width, it.placed_width) << what;
  EXPECT_EQ(placement.height, it.placed_height) << what;
}

// As ultralytics/yolov5's letterbox(auto=False) gives them: Python's round() of a tie takes the
// even number, and borders are round(half - 0.1) and round(half + 0.1).
TEST(PlaceTest, a_centred_letterbox_is_that_of_yolov5) {
  for (const PlaceCase& it : std::vector<PlaceCase>{
           {1920, 1080, 640, 640, 0, 140, 640, 360},
           {1080, 1920, 640, 640, 140, 0, 360, 640},
           {640, 480, 640, 640, 0, 80, 640, 480},
           {320, 200, 640, 640, 0, 120, 640, 400},  // enlarged
           {500, 374, 640, 640, 0, 80, 640, 479},   // 478.72; a border of 161 in all
           {1280, 722, 640, 640, 0, 139, 640, 361},
           {1024, 36, 512, 512, 0, 247, 512, 18},
           {1024, 50, 512, 64, 0, 19, 512, 25},  // a border of 39: 19 above, 20 below
           {1024, 66, 512, 64, 0, 15, 512, 33},
           {256, 6, 64, 64, 0, 31, 64, 2},   // 1.5 is rounded to 2
           {256, 10, 64, 64, 0, 31, 64, 2},  // and 2.5 too
       }) {
    expect_placed(ScaleMode::kLetterboxCentred, it);
  }
}

// As Megvii-BaseDetection/YOLOX's preproc() gives them: int() truncates.
TEST(PlaceTest, a_top_left_letterbox_is_that_of_yolox) {
  for (const PlaceCase& it : std::vector<PlaceCase>{
           {1920, 1080, 640, 640, 0, 0, 640, 360},
           {500, 374, 640, 640, 0, 0, 640, 478},  // 478.72
           {374, 500, 416, 416, 0, 0, 311, 416},  // 311.17
           {256, 6, 64, 64, 0, 0, 64, 1},
           {256, 10, 64, 64, 0, 0, 64, 2},
       }) {
    expect_placed(ScaleMode::kLetterboxTopLeft, it);
  }
}

TEST(PlaceTest, stretching_takes_the_whole_tensor) {
  expect_placed(ScaleMode::kStretch, {1920, 1080, 300, 301, 0, 0, 300, 301});
}

TEST(PlaceTest, a_picture_that_would_vanish_keeps_a_pixel) {
  expect_placed(ScaleMode::kLetterboxCentred, {16384, 2, 64, 64, 0, 31, 64, 1});
  expect_placed(ScaleMode::kLetterboxTopLeft, {2, 16384, 64, 64, 0, 0, 1, 64});
}

TEST(PlaceTest, the_scale_leads_from_a_place_in_the_tensor_to_one_in_the_picture) {
  const Placement placement = place({}, 500, 374);
  EXPECT_DOUBLE_EQ((640 - placement.x) / placement.scale_x, 500);
  EXPECT_DOUBLE_EQ((80 + 479 - placement.y) / placement.scale_y, 374);
}

TEST(PlaceTest, nothing_lies_outside_the_tensor_whatever_the_sizes) {
  for (const ScaleMode mode : {ScaleMode::kLetterboxCentred, ScaleMode::kLetterboxTopLeft}) {
    for (std::uint32_t width = 2; width <= 512; width += 2) {
      for (const std::uint32_t side : {1u, 31u, 64u, 333u}) {
        const Placement placement =
            place({.width = side, .height = 64, .scale_mode = mode}, width, 96);
        EXPECT_GE(placement.width, 1u);
        EXPECT_GE(placement.height, 1u);
        EXPECT_LE(placement.x + placement.width, side) << width;
        EXPECT_LE(placement.y + placement.height, 64u) << width;
      }
    }
  }
}

}  // namespace
}  // namespace nv12slot
