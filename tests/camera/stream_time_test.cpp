// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stream_time.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace nv12slot::camera {
namespace {

using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kFrame = milliseconds(40);
constexpr Duration kCameraTime = hours(7);  // whatever a camera calls the present
constexpr Duration kHere = seconds(100);

/// What is wrong with a time: how far it is from when the frame was taken.
Duration error(Duration mapped, Duration taken) {
  return mapped > taken ? mapped - taken : taken - mapped;
}

TEST(StreamTimeTest, the_first_frame_is_current_when_it_comes_and_others_keep_their_distance) {
  StreamTime time;
  EXPECT_EQ(time.map(kCameraTime, kHere), kHere);
  EXPECT_EQ(time.map(kCameraTime + kFrame, kHere + kFrame + milliseconds(9)), kHere + kFrame);
  EXPECT_EQ(time.shift(kCameraTime - kFrame), kHere - kFrame);
}

TEST(StreamTimeTest, frames_that_come_in_a_burst_after_a_stall_keep_the_times_they_were_taken_at) {
  StreamTime time;
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(time.map(kCameraTime + i * kFrame, kHere + i * kFrame), kHere + i * kFrame);
  }
  // 3 s of them come at once, 3 s late, and then it goes on as before.
  for (int i = 50; i < 125; ++i) {
    ASSERT_EQ(time.map(kCameraTime + i * kFrame, kHere + 125 * kFrame + i * milliseconds(1) / 50),
              kHere + i * kFrame)
        << i;
  }
  for (int i = 126; i < 1000; ++i) {
    ASSERT_EQ(time.map(kCameraTime + i * kFrame, kHere + i * kFrame), kHere + i * kFrame) << i;
  }
}

TEST(StreamTimeTest, no_frame_is_from_the_future) {
  // A server that sends its last group of pictures at once, and then as they are taken.
  StreamTime time;
  for (int i = 0; i < 25; ++i) {
    const Duration arrival = kHere + i * milliseconds(1);
    ASSERT_LE(time.map(kCameraTime + i * kFrame, arrival), arrival);
  }
  EXPECT_EQ(time.map(kCameraTime + 26 * kFrame, kHere + milliseconds(24) + 2 * kFrame),
            kHere + milliseconds(24) + 2 * kFrame);
}

TEST(StreamTimeTest, jitter_does_not_move_the_times) {
  StreamTime time;
  std::srand(1);
  (void)time.map(kCameraTime, kHere);
  for (int i = 1; i < 5000; ++i) {
    // Every tenth frame comes without delay.
    const Duration jitter = i % 10 == 0 ? Duration::zero() : milliseconds(std::rand() % 150);
    ASSERT_EQ(time.map(kCameraTime + i * kFrame, kHere + i * kFrame + jitter), kHere + i * kFrame);
  }
}

TEST(StreamTimeTest, it_follows_a_camera_whose_clock_is_slow_or_fast) {
  for (const double rate : {0.9998, 1.0002}) {  // 200 ppm: 17 s a day
    StreamTime time;
    Duration worst{};
    for (int i = 0; i < 90'000; ++i) {  // an hour
      const Duration taken = kHere + i * kFrame;
      const auto of_camera = duration_cast<Duration>(rate * i * kFrame);
      worst = std::max(worst, error(time.map(kCameraTime + of_camera, taken), taken));
    }
    EXPECT_LT(worst, milliseconds(2)) << rate;
  }
}

TEST(StreamTimeTest, it_follows_timestamps_that_jump_back) {
  StreamTime time;
  for (int i = 0; i < 100; ++i) (void)time.map(kCameraTime + i * kFrame, kHere + i * kFrame);
  Duration worst{};
  for (int i = 100; i < 300; ++i) {
    const Duration taken = kHere + i * kFrame;
    const Duration mapped = time.map(i * kFrame, taken);
    if (i >= 200) worst = std::max(worst, error(mapped, taken));
  }
  EXPECT_EQ(worst, Duration::zero()) << "4 s after the jump";
}

TEST(StreamTimeTest, it_follows_timestamps_that_jump_ahead) {
  StreamTime time;
  for (int i = 0; i < 100; ++i) (void)time.map(i * kFrame, kHere + i * kFrame);
  for (int i = 100; i < 200; ++i) {
    EXPECT_EQ(time.map(kCameraTime + i * kFrame, kHere + i * kFrame), kHere + i * kFrame);
  }
}

TEST(StreamTimeTest, frames_without_a_timestamp_are_current_when_they_come) {
  StreamTime time;
  EXPECT_EQ(time.map(std::nullopt, kHere), kHere);
}

TEST(StreamTimeTest, nothing_comes_out_before_the_last_connection_ended) {
  StreamTime time(kHere + seconds(1));
  EXPECT_EQ(time.map(kCameraTime, kHere), kHere + seconds(1));
  EXPECT_EQ(time.map(std::nullopt, kHere), kHere + seconds(1));
  EXPECT_EQ(time.map(kCameraTime + seconds(2), kHere + seconds(2)), kHere + seconds(2));
}

}  // namespace
}  // namespace nv12slot::camera
