// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fault_runner.h"

#include <gtest/gtest.h>

#include <map>

namespace soak {
namespace {

constexpr Seconds kLimit = 10;

/// Cameras that recover when a test says so.
class FakeTarget : public FaultTarget {
 public:
  void begin(const Fault& fault) override {
    begun.push_back(fault);
    for (auto& [camera, when] : well) {
      if (fault.camera == camera || fault.camera == kAllCameras) when.reset();
    }
  }
  std::optional<Seconds> lift(const Fault&, Seconds at) override {
    if (!lifts) return std::nullopt;
    return at;
  }
  std::optional<Seconds> recovered(int camera) override { return well[camera]; }

  bool lifts = true;
  std::map<int, std::optional<Seconds>> well{{0, 0.0}, {1, 0.0}};
  std::vector<Fault> begun;
};

class FaultRunnerTest : public testing::Test {
 protected:
  FaultRunner make(std::vector<Fault> schedule) {
    return {std::move(schedule), 2, kLimit, target_};
  }

  FakeTarget target_;
};

TEST_F(FaultRunnerTest, fault_comes_when_it_is_due_and_ends_when_its_camera_is_well) {
  FaultRunner runner = make({{5, FaultKind::kCut, 0}});
  runner.tick(4.9);
  EXPECT_TRUE(target_.begun.empty());
  runner.tick(5);
  EXPECT_EQ(target_.begun.size(), 1U);
  EXPECT_TRUE(runner.is_open(0));
  EXPECT_FALSE(runner.is_open(1));
  target_.well[0] = 6.5;
  runner.tick(7.5);
  EXPECT_FALSE(runner.has_open());
  EXPECT_EQ(runner.records().at(0).recovered, 6.5);
}

TEST_F(FaultRunnerTest, second_fault_of_a_camera_waits_for_the_first) {
  FaultRunner runner = make({{5, FaultKind::kCut, 0}, {6, FaultKind::kStall, 0}});
  runner.tick(5);
  runner.tick(7);
  EXPECT_EQ(target_.begun.size(), 1U);
  target_.well[0] = 7.2;
  runner.tick(8.2);
  EXPECT_EQ(target_.begun.size(), 2U);
}

TEST_F(FaultRunnerTest, faults_of_two_cameras_go_on_at_once) {
  FaultRunner runner = make({{5, FaultKind::kCut, 0}, {6, FaultKind::kStall, 1}});
  runner.tick(6);
  EXPECT_EQ(target_.begun.size(), 2U);
}

TEST_F(FaultRunnerTest, killed_server_waits_until_every_camera_is_well_and_for_each_to_recover) {
  FaultRunner runner = make({{5, FaultKind::kCut, 0}, {6, FaultKind::kKill, kAllCameras}});
  runner.tick(6);
  EXPECT_EQ(target_.begun.size(), 1U);
  target_.well[0] = 6.0;
  runner.tick(7);
  EXPECT_EQ(target_.begun.size(), 2U);
  target_.well[0] = 8.0;
  runner.tick(9);
  EXPECT_TRUE(runner.has_open());
  target_.well[1] = 9.5;
  runner.tick(10);
  EXPECT_EQ(runner.records().at(1).recovered, 9.5);
}

TEST_F(FaultRunnerTest, camera_that_does_not_recover_is_given_up_and_has_no_more_faults) {
  FaultRunner runner = make(
      {{5, FaultKind::kCut, 0}, {6, FaultKind::kStall, 0}, {7, FaultKind::kKill, kAllCameras}});
  runner.tick(5);
  runner.tick(15.1);
  EXPECT_TRUE(runner.records().at(0).given_up);
  EXPECT_FALSE(runner.records().at(0).recovered);
  // The stall is left out, and the killed server no longer waits for this camera.
  EXPECT_EQ(target_.begun.back().kind, FaultKind::kKill);
  target_.well[1] = 16;
  runner.tick(17);
  EXPECT_FALSE(runner.has_open());
  EXPECT_EQ(runner.left(), 0U);
}

TEST_F(FaultRunnerTest, limit_counts_from_when_the_fault_was_lifted) {
  FaultRunner runner = make({{5, FaultKind::kKill, kAllCameras}});
  target_.lifts = false;
  runner.tick(5);
  runner.tick(100);
  EXPECT_TRUE(runner.has_open());
  EXPECT_FALSE(runner.records().at(0).given_up);
}

TEST_F(FaultRunnerTest, nothing_comes_to_a_camera_that_is_still_being_made) {
  target_.well[0].reset();
  FaultRunner runner = make({{5, FaultKind::kCut, 0}});
  runner.tick(6);
  EXPECT_TRUE(target_.begun.empty());
  target_.well[0] = 6;
  runner.tick(7);
  EXPECT_EQ(target_.begun.size(), 1U);
}

TEST_F(FaultRunnerTest, camera_that_never_comes_up_holds_no_other_up) {
  target_.well[0].reset();
  FaultRunner runner = make(
      {{5, FaultKind::kCut, 0}, {6, FaultKind::kStall, 1}, {7, FaultKind::kKill, kAllCameras}});
  runner.tick(7);
  EXPECT_TRUE(target_.begun.empty());
  runner.tick(17.1);
  runner.tick(17.2);
  ASSERT_EQ(target_.begun.size(), 1U);
  EXPECT_EQ(target_.begun[0].kind, FaultKind::kStall);
  target_.well[1] = 18;
  runner.tick(19);
  EXPECT_EQ(target_.begun.back().kind, FaultKind::kKill);
}

}  // namespace
}  // namespace soak
