// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fault.h"

#include <gtest/gtest.h>

#include <set>

namespace soak {
namespace {

ScheduleSettings settings() {
  ScheduleSettings settings;
  settings.seed = 7;
  settings.cameras = 3;
  settings.kinds.assign(std::begin(kAllFaults), std::end(kAllFaults));
  settings.begin = 10;
  settings.end = 100;
  settings.every = 5;
  return settings;
}

TEST(FaultTest, every_kind_has_a_word_that_names_it) {
  for (const FaultKind kind : kAllFaults) EXPECT_EQ(fault_kind(to_string(kind)), kind);
  EXPECT_FALSE(fault_kind("nothing"));
}

TEST(ScheduleTest, same_seed_makes_the_same_schedule_and_another_seed_another) {
  EXPECT_EQ(make_schedule(settings()), make_schedule(settings()));
  ScheduleSettings other = settings();
  other.seed = 8;
  EXPECT_NE(make_schedule(settings()), make_schedule(other));
}

TEST(ScheduleTest, faults_come_in_order_within_their_time_and_about_as_often_as_asked) {
  const std::vector<Fault> schedule = make_schedule(settings());
  EXPECT_NEAR(static_cast<double>(schedule.size()), 90 / 5.0, 1);
  Seconds last = 10;
  for (const Fault& fault : schedule) {
    EXPECT_GE(fault.at, last);
    EXPECT_LT(fault.at, 100);
    last = fault.at;
  }
}

TEST(ScheduleTest, each_kind_comes_once_in_every_round) {
  const std::vector<Fault> schedule = make_schedule(settings());
  ASSERT_GE(schedule.size(), 12U);
  for (std::size_t round = 0; round < 2; ++round) {
    std::set<FaultKind> kinds;
    for (std::size_t i = 0; i < 6; ++i) kinds.insert(schedule[round * 6 + i].kind);
    EXPECT_EQ(kinds.size(), 6U);
  }
}

TEST(ScheduleTest, killed_server_hits_all_cameras_and_the_others_one_that_is_there) {
  std::set<int> cameras;
  for (const Fault& fault : make_schedule(settings())) {
    EXPECT_EQ(fault.camera == kAllCameras, fault.kind == FaultKind::kKill);
    cameras.insert(fault.camera);
  }
  EXPECT_EQ(cameras, (std::set<int>{kAllCameras, 0, 1, 2}));
}

TEST(ScheduleTest, no_kinds_make_no_faults) {
  ScheduleSettings none = settings();
  none.kinds.clear();
  EXPECT_TRUE(make_schedule(none).empty());
}

}  // namespace
}  // namespace soak
