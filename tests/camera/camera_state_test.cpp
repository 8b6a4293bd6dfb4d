// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camera_state.h"

#include <gtest/gtest.h>

namespace nv12slot::camera {
namespace {

using Action = CameraState::Action;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A camera that plays by hand: each call moves its time.
class CameraStateTest : public ::testing::Test {
 protected:
  static CameraSettings settings() {
    CameraSettings settings;
    settings.connect_timeout = seconds(10);
    settings.packet_timeout = seconds(5);
    settings.frame_timeout = seconds(8);
    settings.backoff_min = milliseconds(500);
    settings.backoff_max = seconds(30);
    settings.healthy_time = seconds(10);
    return settings;
  }

  Action start(const CameraSettings& with = settings()) {
    seen = Seen();
    return state.start(now, with);
  }
  void pass(Duration by) { now += by; }
  void packet() {
    if (!seen.first_packet) seen.first_packet = now;
    seen.last_packet = now;
  }
  void frame() {
    packet();
    if (!seen.first_frame) seen.first_frame = now;
    seen.last_frame = now;
  }
  Action poll() { return state.poll(now, seen); }
  Action fault(Fault fault) { return state.fault(now, seen, fault); }
  /// Plays for `time` at 25 frames a second; every poll has to be quiet.
  void play(Duration time) {
    for (const TimePoint end = now + time; now < end; pass(milliseconds(40))) {
      frame();
      ASSERT_EQ(poll(), Action::kNone);
    }
    frame();
  }
  /// Waits for the next try, which begins.
  void retry() {
    ASSERT_EQ(state.status(), Status::kWaiting);
    now = *state.deadline(now, seen);
    ASSERT_EQ(poll(), Action::kConnect);
    seen = Seen();
  }

  TimePoint now = TimePoint(std::chrono::hours(1));
  Seen seen;
  CameraState state{7};
};

TEST_F(CameraStateTest, connects_at_once_and_plays_with_the_first_frame) {
  EXPECT_EQ(start(), Action::kConnect);
  EXPECT_EQ(state.status(), Status::kConnecting);
  pass(milliseconds(300));
  packet();
  EXPECT_EQ(poll(), Action::kNone);
  EXPECT_EQ(state.status(), Status::kConnecting) << "data is no picture";
  pass(milliseconds(100));
  frame();
  EXPECT_EQ(poll(), Action::kNone);
  EXPECT_EQ(state.status(), Status::kPlaying);
  EXPECT_EQ(state.stats().time_to_first_frame, Duration(milliseconds(400)));
}

TEST_F(CameraStateTest, a_camera_that_does_not_answer_is_given_up_at_the_connect_timeout) {
  start();
  EXPECT_EQ(state.deadline(now, seen), now + seconds(10));
  pass(seconds(10) - Duration(1));
  EXPECT_EQ(poll(), Action::kNone);
  pass(Duration(1));
  EXPECT_EQ(poll(), Action::kDisconnect);
  EXPECT_EQ(state.stats().last_fault, Fault::kConnectTimeout);
  EXPECT_EQ(state.stats().outages, 0U) << "it had never played";
}

TEST_F(CameraStateTest, silence_is_noticed_at_the_packet_timeout) {
  start();
  play(seconds(3));
  EXPECT_EQ(state.deadline(now, seen), now + seconds(5));
  pass(seconds(5) - Duration(1));
  EXPECT_EQ(poll(), Action::kNone);
  pass(Duration(1));
  EXPECT_EQ(poll(), Action::kDisconnect);
  EXPECT_EQ(state.stats().last_fault, Fault::kPacketTimeout);
  EXPECT_EQ(state.stats().outages, 1U);
}

TEST_F(CameraStateTest, data_without_pictures_is_noticed_at_the_frame_timeout) {
  start();
  play(seconds(3));
  const TimePoint last = now;
  while (now < last + seconds(8) - milliseconds(40)) {
    pass(milliseconds(40));
    packet();
    ASSERT_EQ(poll(), Action::kNone);
  }
  now = last + seconds(8);
  packet();
  EXPECT_EQ(poll(), Action::kDisconnect);
  EXPECT_EQ(state.stats().last_fault, Fault::kFrameTimeout);
}

TEST_F(CameraStateTest, the_frame_timeout_of_a_new_connection_runs_from_its_first_packet) {
  start();
  pass(seconds(9));
  packet();
  for (int i = 0; i < 7; ++i) {
    pass(seconds(1));
    packet();
    ASSERT_EQ(poll(), Action::kNone);
  }
  pass(seconds(1));
  packet();
  EXPECT_EQ(poll(), Action::kDisconnect);
  EXPECT_EQ(state.stats().last_fault, Fault::kFrameTimeout);
}

TEST_F(CameraStateTest, a_consumer_that_keeps_it_waiting_is_no_fault_of_the_camera) {
  start();
  play(seconds(1));
  seen.is_blocked = seen.is_held_back = true;
  pass(std::chrono::hours(1));
  EXPECT_EQ(poll(), Action::kNone);
  EXPECT_GT(state.deadline(now, seen), now);
  EXPECT_LE(*state.deadline(now, seen), now + seconds(1)) << "nobody tells when it goes on";
  // It goes on, and no packet could come meanwhile.
  seen.is_blocked = seen.is_held_back = false;
  seen.last_frame = seen.was_held_back = now;
  EXPECT_EQ(poll(), Action::kNone);
  pass(seconds(5));
  EXPECT_EQ(poll(), Action::kDisconnect);
}

TEST_F(CameraStateTest, silence_is_noticed_while_downstream_takes_its_time_for_a_frame) {
  start();
  play(seconds(1));
  seen.is_blocked = true;
  pass(seconds(5));
  EXPECT_EQ(poll(), Action::kDisconnect) << "it could send: nothing held it back";
  EXPECT_EQ(state.stats().last_fault, Fault::kPacketTimeout);
}

TEST_F(CameraStateTest, timeouts_of_0_are_off) {
  CameraSettings off = settings();
  off.connect_timeout = off.packet_timeout = off.frame_timeout = Duration::zero();
  start(off);
  EXPECT_EQ(state.deadline(now, seen), std::nullopt);
  pass(std::chrono::hours(1));
  EXPECT_EQ(poll(), Action::kNone);
  play(seconds(1));
  pass(std::chrono::hours(1));
  EXPECT_EQ(poll(), Action::kNone);
  EXPECT_EQ(state.deadline(now, seen), std::nullopt);
}

TEST_F(CameraStateTest, first_retry_is_at_once_and_later_ones_wait_longer) {
  start();
  play(seconds(30));
  EXPECT_EQ(fault(Fault::kError), Action::kDisconnect);
  EXPECT_EQ(state.retry_in(now), Duration::zero());
  retry();
  EXPECT_EQ(state.attempt(), 2U);
  EXPECT_EQ(fault(Fault::kUnreachable), Action::kDisconnect);
  EXPECT_GE(state.retry_in(now), milliseconds(500));
  EXPECT_LE(state.retry_in(now), seconds(1));
  for (int i = 0; i < 20; ++i) {
    retry();
    EXPECT_EQ(fault(Fault::kUnreachable), Action::kDisconnect);
    EXPECT_GE(state.retry_in(now), milliseconds(500));
    EXPECT_LE(state.retry_in(now), seconds(30));
  }
}

TEST_F(CameraStateTest, a_healthy_time_makes_the_next_retry_immediate_again) {
  start();
  for (int i = 0; i < 6; ++i) {
    fault(Fault::kUnreachable);
    retry();
  }
  play(seconds(11));
  EXPECT_EQ(fault(Fault::kEnded), Action::kDisconnect);
  EXPECT_EQ(state.retry_in(now), Duration::zero());
}

TEST_F(CameraStateTest, a_camera_that_plays_shortly_each_time_backs_off) {
  start();
  for (int i = 0; i < 6; ++i) {
    play(seconds(1));
    fault(Fault::kEnded);
    if (i > 0) {
      EXPECT_GE(state.retry_in(now), milliseconds(500));
    }
    retry();
  }
}

TEST_F(CameraStateTest, an_outage_lasts_from_the_last_good_frame_to_the_first_one_after) {
  start();
  play(seconds(2));
  const TimePoint last = now;
  pass(seconds(5));
  EXPECT_EQ(poll(), Action::kDisconnect);
  retry();
  pass(milliseconds(700));
  frame();
  const TimePoint first = now;
  poll();
  EXPECT_EQ(state.stats().last_outage, first - last);
  EXPECT_EQ(state.stats().longest_outage, first - last);
  EXPECT_EQ(state.stats().outages, 1U);
  EXPECT_EQ(state.stats().reconnects, 1U);
}

TEST_F(CameraStateTest, an_outage_with_failing_tries_is_one_outage) {
  start();
  play(seconds(2));
  fault(Fault::kError);
  for (int i = 0; i < 5; ++i) {
    retry();
    fault(Fault::kUnreachable);
  }
  EXPECT_EQ(state.stats().outages, 1U);
  EXPECT_EQ(state.stats().attempts, 6U);
  EXPECT_EQ(state.stats().faults[static_cast<std::size_t>(Fault::kUnreachable)], 5U);
}

TEST_F(CameraStateTest, limited_attempts_end_in_failed) {
  CameraSettings limited = settings();
  limited.max_attempts = 3;
  start(limited);
  EXPECT_EQ(fault(Fault::kUnreachable), Action::kDisconnect);
  retry();
  EXPECT_EQ(fault(Fault::kUnreachable), Action::kDisconnect);
  retry();
  EXPECT_EQ(fault(Fault::kUnreachable), Action::kGiveUp);
  EXPECT_EQ(state.status(), Status::kFailed);
  EXPECT_EQ(state.deadline(now, seen), std::nullopt);
  EXPECT_EQ(fault(Fault::kError), Action::kNone);
}

TEST_F(CameraStateTest, a_fault_while_waiting_or_stopped_is_old_news) {
  EXPECT_EQ(fault(Fault::kError), Action::kNone);
  start();
  fault(Fault::kError);
  EXPECT_EQ(fault(Fault::kError), Action::kNone);
  EXPECT_EQ(state.end(now, seen), Action::kNone);
  EXPECT_EQ(state.stats().faults[static_cast<std::size_t>(Fault::kError)], 1U);
}

TEST_F(CameraStateTest, the_end_of_a_live_stream_is_a_fault) {
  start();
  play(seconds(1));
  EXPECT_EQ(state.end(now, seen), Action::kDisconnect);
  EXPECT_EQ(state.stats().last_fault, Fault::kEnded);
}

TEST_F(CameraStateTest, the_end_of_a_file_is_its_end) {
  CameraSettings file = settings();
  file.is_live = false;
  start(file);
  play(seconds(1));
  EXPECT_EQ(state.end(now, seen), Action::kEnd);
  EXPECT_EQ(state.status(), Status::kStopped);
}

TEST_F(CameraStateTest, a_file_loops) {
  CameraSettings file = settings();
  file.is_live = false;
  file.loops = true;
  start(file);
  play(seconds(1));
  EXPECT_EQ(state.end(now, seen), Action::kConnect);
  EXPECT_EQ(state.stats().loops, 1U);
  EXPECT_EQ(state.stats().outages, 0U);
}

TEST_F(CameraStateTest, a_file_without_a_picture_does_not_loop) {
  CameraSettings file = settings();
  file.is_live = false;
  file.loops = true;
  start(file);
  packet();
  EXPECT_EQ(state.end(now, seen), Action::kGiveUp);
  EXPECT_EQ(state.stats().last_fault, Fault::kNoVideo);
}

TEST_F(CameraStateTest, a_missing_file_is_not_waited_for) {
  CameraSettings file = settings();
  file.is_live = false;
  start(file);
  EXPECT_EQ(fault(Fault::kNotFound), Action::kGiveUp);
}

TEST_F(CameraStateTest, stop_gives_the_connection_up_and_start_begins_anew) {
  start();
  play(seconds(1));
  EXPECT_EQ(state.stop(), Action::kDisconnect);
  EXPECT_EQ(state.stop(), Action::kNone);
  EXPECT_EQ(poll(), Action::kNone);
  EXPECT_EQ(start(), Action::kConnect);
  EXPECT_EQ(state.stats().attempts, 1U);
}

}  // namespace
}  // namespace nv12slot::camera
