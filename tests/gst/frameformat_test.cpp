// SPDX-License-Identifier: LGPL-2.1-or-later
#include "frameformat.h"

extern "C" {
#include <libavutil/mastering_display_metadata.h>
}

#include <gtest/gtest.h>

#include <climits>

#include "ffmpeg.h"

namespace nv12slot::gst {
namespace {

/// What a picture is told to be whose stream says these luminances.
GstVideoMasteringDisplayInfo mastering_of(AVRational min, AVRational max) {
  const decode::FramePtr frame(av_frame_alloc());
  frame->width = frame->height = 16;
  AVMasteringDisplayMetadata* const said =
      av_mastering_display_metadata_create_side_data(frame.get());
  said->has_primaries = said->has_luminance = 1;
  for (auto& primary : said->display_primaries) primary[0] = primary[1] = {1, 2};
  said->white_point[0] = said->white_point[1] = {1, 4};
  said->min_luminance = min;
  said->max_luminance = max;
  const FrameFormat format = format_of(*frame);
  EXPECT_TRUE(format.has_mastering);
  EXPECT_EQ(format.mastering.display_primaries[2].y, 25000U);
  EXPECT_EQ(format.mastering.white_point.x, 12500U);
  return format.mastering;
}

TEST(FrameFormatTest, luminances_are_those_of_the_stream) {
  const GstVideoMasteringDisplayInfo info = mastering_of({50, 10000}, {1000, 1});
  EXPECT_EQ(info.min_display_mastering_luminance, 50U);
  EXPECT_EQ(info.max_display_mastering_luminance, 10000000U);
}

// H.265 has 32 bits for a luminance, of which FFmpeg makes a signed number.
TEST(FrameFormatTest, negative_luminance_is_none) {
  EXPECT_EQ(mastering_of({INT_MIN, 10000}, {-1, 10000}).min_display_mastering_luminance, 0U);
  EXPECT_EQ(mastering_of({INT_MIN, 10000}, {-1, 10000}).max_display_mastering_luminance, 0U);
}

// AV1 has 32 bits for 256ths.
TEST(FrameFormatTest, luminance_beyond_what_caps_hold_is_the_most_they_do) {
  EXPECT_EQ(mastering_of({0, 1}, {INT_MAX, 256}).max_display_mastering_luminance, G_MAXUINT32);
}

TEST(FrameFormatTest, luminance_that_is_no_number_is_none) {
  EXPECT_EQ(mastering_of({0, 0}, {1, 0}).max_display_mastering_luminance, 0U);
}

}  // namespace
}  // namespace nv12slot::gst
