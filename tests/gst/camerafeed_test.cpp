// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Times of files, which may be any, through the part of nv12slotsrc that makes one stream of them.
#include "camerafeed.h"

#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

GST_DEBUG_CATEGORY(nv12slotsrc_debug);

namespace nv12slot::gst {
namespace {

constexpr GstClockTime kTenYears = GstClockTime{10} * 365 * 24 * 3600 * GST_SECOND;

EncodedQueue::Item frame(std::uint64_t connection, GstClockTime pts, GstClockTime duration) {
  EncodedQueue::Item item;
  item.connection = connection;
  item.buffer.reset(gst_buffer_new());
  GST_BUFFER_PTS(item.buffer.get()) = GST_BUFFER_DTS(item.buffer.get()) = pts;
  GST_BUFFER_DURATION(item.buffer.get()) = duration;
  item.caps.reset(gst_caps_new_empty_simple("video/x-vp8"));
  item.arrival = steady_clock().now();
  return item;
}

/// What becomes of the times of files that are played one after the other, each of one frame.
std::vector<GstClockTime> play(const std::vector<std::array<GstClockTime, 2>>& frames) {
  gst_init(nullptr, nullptr);
  const auto queue = std::make_shared<EncodedQueue>();
  const ObjectPtr<GstElement> feed(
      static_cast<GstElement*>(gst_object_ref_sink(feed_new(queue, {}))));
  GstHarness* const harness = gst_harness_new_with_element(feed.get(), nullptr, "src");
  gst_harness_play(harness);
  std::vector<GstClockTime> times;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    queue->begin(i + 1);
    EXPECT_TRUE(queue->push(frame(i + 1, frames[i][0], frames[i][1])));
    const BufferPtr buffer(gst_harness_pull(harness));
    times.push_back(GST_BUFFER_PTS(buffer.get()));
  }
  gst_harness_teardown(harness);
  return times;
}

TEST(CameraFeedTest, a_file_goes_on_where_the_one_before_it_ended) {
  EXPECT_EQ(play({{5, 10}, {100, 10}, {0, 10}}), (std::vector<GstClockTime>{5, 15, 25}));
}

TEST(CameraFeedTest, times_beyond_those_of_any_file_overflow_nothing) {
  const GstClockTime last = GST_CLOCK_TIME_NONE - 1;
  for (const GstClockTime odd : {last, GstClockTime{1} << 63, (GstClockTime{1} << 63) + 10}) {
    const std::vector<GstClockTime> times =
        play({{0, 10}, {odd, odd}, {5, odd}, {odd, 10}, {0, odd}});
    EXPECT_EQ(times[0], 0U);
    EXPECT_EQ(times[1], 10U);
    for (std::size_t i = 1; i < times.size(); ++i) {
      EXPECT_GE(times[i], times[i - 1]) << i;
      EXPECT_LE(times[i], 4 * kTenYears) << i;
    }
  }
}

}  // namespace
}  // namespace nv12slot::gst
