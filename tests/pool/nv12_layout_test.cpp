// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/nv12_layout.h"

#include <gtest/gtest.h>

namespace nv12slot {
namespace {

TEST(Nv12Layout, rows_are_rounded_up_to_the_alignment) {
  const Result<Nv12Layout> layout = nv12_layout(1920, 1080, 512);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout.value(), (Nv12Layout{1920, 1080, 2048}));
  EXPECT_EQ(layout.value().uv_offset(), 2048u * 1080);
  EXPECT_EQ(layout.value().size(), 2048u * 1620);
}

TEST(Nv12Layout, a_width_that_is_aligned_gets_no_padding) {
  const Result<Nv12Layout> layout = nv12_layout(1024, 2, 512);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout.value().pitch, 1024u);
}

TEST(Nv12Layout, the_smallest_and_the_largest_picture_are_taken) {
  ASSERT_TRUE(nv12_layout(2, 2, 64));
  const Result<Nv12Layout> largest = nv12_layout(kMaxSide, kMaxSide, 512);
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest.value().size(), std::size_t{kMaxSide} * kMaxSide / 2 * 3);
}

TEST(Nv12Layout, sides_that_nv12_cannot_have_are_refused_by_name) {
  struct Size {
    std::uint32_t width, height;
  };
  for (const auto& [width, height] : {Size{0, 480},
                                      {640, 0},
                                      {641, 480},
                                      {640, 481},
                                      {kMaxSide + 2, 480},
                                      {640, kMaxSide + 2},
                                      {~0U, ~0U}}) {
    const Result<Nv12Layout> layout = nv12_layout(width, height, 512);
    ASSERT_FALSE(layout) << width << " x " << height;
    EXPECT_EQ(layout.code(), Errc::kInvalidArgument);
    EXPECT_NE(layout.error().message.find(std::to_string(width) + " x " + std::to_string(height)),
              std::string::npos)
        << layout.error().message;
  }
}

}  // namespace
}  // namespace nv12slot
