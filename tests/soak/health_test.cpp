// SPDX-License-Identifier: LGPL-2.1-or-later
#include "health.h"

#include <gtest/gtest.h>

namespace soak {
namespace {

constexpr Seconds kGapLimit = 0.5;
constexpr Seconds kFrame = 0.1;

class HealthTest : public testing::Test {
 protected:
  /// Frames from `from` to `to`.
  void play(Seconds from, Seconds to, bool good = true, unsigned connection = 1) {
    for (int i = 0; from + i * kFrame < to - 1e-9; ++i) {
      health_.frame(from + i * kFrame, good, connection);
    }
  }
  /// A camera that has been well for a while, and is judged.
  void warm_up() {
    play(0.3, 5);
    health_.start_counting(5);
  }

  Health health_{kGapLimit};
};

TEST_F(HealthTest, new_camera_is_well_from_its_first_frame_on) {
  EXPECT_FALSE(health_.recovered());
  play(0.3, 2);
  ASSERT_TRUE(health_.recovered());
  EXPECT_DOUBLE_EQ(*health_.recovered(), 0.3);
}

TEST_F(HealthTest, few_frames_are_no_recovery_yet) {
  play(0.3, 1.2);
  EXPECT_FALSE(health_.recovered());
}

TEST_F(HealthTest, frames_that_were_under_way_when_the_fault_came_are_no_recovery) {
  warm_up();
  health_.begin_fault(5, 2);
  health_.lift_fault(5);
  play(5, 7);
  EXPECT_FALSE(health_.recovered());
  play(7, 9, true, 2);
  ASSERT_TRUE(health_.recovered());
  EXPECT_DOUBLE_EQ(*health_.recovered(), 7);
}

TEST_F(HealthTest, nothing_recovers_before_the_fault_is_lifted) {
  warm_up();
  health_.begin_fault(5, 1);
  play(5, 8);
  EXPECT_FALSE(health_.recovered());
  health_.lift_fault(8);
  play(8, 10);
  ASSERT_TRUE(health_.recovered());
  EXPECT_DOUBLE_EQ(*health_.recovered(), 8);
}

TEST_F(HealthTest, damaged_frame_begins_the_row_anew) {
  warm_up();
  health_.begin_fault(5, 1);
  health_.lift_fault(5);
  play(5, 5.5);
  health_.frame(5.5, false, 1);
  play(5.6, 8);
  ASSERT_TRUE(health_.recovered());
  EXPECT_NEAR(*health_.recovered(), 5.6, 1e-9);
}

TEST_F(HealthTest, gap_begins_the_row_anew) {
  warm_up();
  health_.begin_fault(5, 1);
  health_.lift_fault(5);
  play(5, 5.5);
  play(6.5, 9);
  ASSERT_TRUE(health_.recovered());
  EXPECT_DOUBLE_EQ(*health_.recovered(), 6.5);
}

TEST_F(HealthTest, gaps_outside_of_faults_count) {
  warm_up();
  play(5, 6);
  play(7, 8);
  EXPECT_EQ(health_.gaps().over_limit, 1U);
  EXPECT_NEAR(health_.gaps().longest, 1.1, 1e-6);
  EXPECT_NEAR(health_.gaps().longest_at, 5.9, 1e-6);
}

TEST_F(HealthTest, gaps_in_faults_and_in_the_warm_up_do_not_count) {
  play(0.3, 2);
  play(4, 5);
  health_.start_counting(5);
  play(5, 6);
  health_.begin_fault(6, 2);
  health_.lift_fault(6);
  play(9, 11, true, 2);
  EXPECT_EQ(health_.gaps().over_limit, 0U);
  EXPECT_LT(health_.gaps().longest, 0.2);
}

TEST_F(HealthTest, gap_that_a_fault_ends_counts) {
  warm_up();
  play(5, 6);
  health_.begin_fault(7, 2);
  EXPECT_EQ(health_.gaps().over_limit, 1U);
}

TEST_F(HealthTest, gap_that_the_end_of_the_run_ends_counts) {
  warm_up();
  play(5, 6);
  health_.finish(7);
  EXPECT_EQ(health_.gaps().over_limit, 1U);
}

TEST_F(HealthTest, frames_after_the_end_do_not_count) {
  warm_up();
  play(5, 6);
  health_.finish(6);
  health_.frame(9, false, 1);
  EXPECT_EQ(health_.gaps().over_limit, 0U);
  EXPECT_EQ(health_.gaps().corrupted, 0U);
}

TEST_F(HealthTest, damaged_frames_outside_of_faults_are_counted) {
  warm_up();
  health_.frame(5, false, 1);
  EXPECT_EQ(health_.gaps().corrupted, 1U);
}

}  // namespace
}  // namespace soak
