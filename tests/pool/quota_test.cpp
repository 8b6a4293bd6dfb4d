// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/quota.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace nv12slot {
namespace {

TEST(Quota, charges_up_to_the_limit_and_again_after_a_refund) {
  Quota quota(2);
  EXPECT_TRUE(quota.charge(0));
  EXPECT_TRUE(quota.charge(0));
  EXPECT_FALSE(quota.charge(0));
  EXPECT_EQ(quota.used(0), 2u);
  quota.refund(0);
  EXPECT_TRUE(quota.charge(0));
}

TEST(Quota, counts_each_domain_for_itself) {
  Quota quota(1);
  EXPECT_TRUE(quota.charge(kHostDomain));
  EXPECT_TRUE(quota.charge(0));
  EXPECT_TRUE(quota.charge(kMaxDomains - 2));
  EXPECT_FALSE(quota.charge(kHostDomain));
  EXPECT_EQ(quota.used(1), 0u);
}

TEST(Quota, zero_counts_without_a_limit) {
  Quota quota;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(quota.charge(0));
  EXPECT_EQ(quota.used(0), 1000u);
}

TEST(Quota, a_lower_limit_refuses_until_enough_came_back) {
  Quota quota(3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(quota.charge(0));
  quota.set_limit(2);
  quota.refund(0);
  EXPECT_FALSE(quota.charge(0));
  quota.refund(0);
  EXPECT_TRUE(quota.charge(0));
}

TEST(Quota, threads_together_never_have_more_than_the_limit) {
  Quota quota(3);
  std::atomic<int> held{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20000; ++round) {
        if (!quota.charge(0)) continue;
        if (held.fetch_add(1) >= 3) exceeded = true;
        held.fetch_sub(1);
        quota.refund(0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(quota.used(0), 0u);
}

}  // namespace
}  // namespace nv12slot
