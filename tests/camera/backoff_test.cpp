// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace nv12slot::camera {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kMin = milliseconds(500);
constexpr Duration kMax = seconds(30);

TEST(BackoffTest, first_try_is_at_once) {
  Backoff backoff(1);
  EXPECT_EQ(backoff.wait(1, kMin, kMax), Duration::zero());
}

TEST(BackoffTest, waits_lie_between_the_least_and_a_limit_that_doubles_up_to_the_most) {
  Backoff backoff(2);
  for (unsigned failures = 2; failures < 40; ++failures) {
    const Duration limit = failures < 8 ? std::min(kMax, kMin * (1 << (failures - 1))) : kMax;
    Duration least = kMax;
    Duration most{};
    for (int i = 0; i < 200; ++i) {
      const Duration wait = backoff.wait(failures, kMin, kMax);
      least = std::min(least, wait);
      most = std::max(most, wait);
    }
    EXPECT_GE(least, kMin) << failures;
    EXPECT_LE(most, limit) << failures;
    EXPECT_GT(most, limit * 9 / 10) << "after " << failures << " failures, it never waits long";
  }
}

TEST(BackoffTest, cameras_with_other_seeds_do_not_come_back_together) {
  std::set<Duration> waits;
  for (std::uint64_t seed = 0; seed < 64; ++seed) waits.insert(Backoff(seed).wait(5, kMin, kMax));
  EXPECT_GT(waits.size(), 60U);
}

TEST(BackoffTest, equal_bounds_and_none_are_allowed) {
  Backoff backoff(3);
  EXPECT_EQ(backoff.wait(9, kMax, kMax), kMax);
  EXPECT_EQ(backoff.wait(9, Duration::zero(), Duration::zero()), Duration::zero());
}

TEST(BackoffTest, long_failing_does_not_overflow) {
  Backoff backoff(4);
  EXPECT_LE(backoff.wait(4'000'000'000U, Duration(1), Duration::max() / 2), Duration::max() / 2);
}

}  // namespace
}  // namespace nv12slot::camera
