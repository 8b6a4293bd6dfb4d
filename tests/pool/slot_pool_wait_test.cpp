// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What acquire() does where no slot is to be had: every slot is taken, there is no memory, the
// quota is used up.

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "refused.h"
#include "slot_pool_fixture.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;

TEST_F(SlotPoolTest, drop_fails_at_once_and_counts) {
  set_cap(1);
  Lease held = take();
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  EXPECT_EQ(pool_.stats(0).exhausted, 2u);
}

TEST_F(SlotPoolTest, host_policy_gives_a_host_slot_and_counts) {
  set_cap(1);
  Lease held = take();
  Lease host = take({.on_exhausted = OnExhausted::kHost});
  EXPECT_EQ(host.domain(), kHostDomain);
  EXPECT_EQ(pool_.stats(0).host_fallbacks, 1u);
}

TEST_F(SlotPoolTest, host_policy_fails_as_exhausted_when_the_host_has_none_either) {
  set_cap(1);
  Lease held = take();
  Lease host = take({.on_exhausted = OnExhausted::kHost});
  EXPECT_EQ(acquire({.on_exhausted = OnExhausted::kHost}).code(), Errc::kExhausted);
  EXPECT_EQ(pool_.stats(0).host_fallbacks, 1u);
}

TEST_F(SlotPoolTest, out_of_memory_is_host_fallback_or_error_and_the_pool_lives_on) {
  gpu().fail("allocate", Errc::kOutOfMemory, 2);
  EXPECT_EQ(acquire().code(), Errc::kOutOfMemory);
  EXPECT_EQ(take({.on_exhausted = OnExhausted::kHost}).domain(), kHostDomain);
  EXPECT_EQ(take().domain(), 0);
  const PoolStats stats = pool_.stats(0);
  EXPECT_EQ(stats.out_of_memory, 2u);
  EXPECT_EQ(stats.slots, 1u);
  EXPECT_EQ(gpu().taken_streams(), 1u);
}

TEST_F(SlotPoolTest, idle_slots_that_are_too_small_give_their_memory_before_a_camera_gets_none) {
  take();
  take({.width = 32, .height = 32});
  clock_.advance(milliseconds(50));
  ASSERT_EQ(pool_.stats(0).free, 2u);
  gpu().fail("allocate", Errc::kOutOfMemory, 2);
  EXPECT_EQ(take({.width = 128, .height = 128}).domain(), 0);
  EXPECT_EQ(gpu().count("free"), 2u);
  EXPECT_EQ(pool_.stats(0).slots, 1u);
  EXPECT_EQ(pool_.stats(0).out_of_memory, 0u);
}

// camera                                  flush
// ------                                  -----
// acquire(block 1 h): not cancelled yet
// allocates, the mutex dropped (hook)
//                                         cancel(): nobody waits
// no memory: must not wait now
TEST_F(SlotPoolTest, cancel_while_a_slot_is_being_made_is_not_lost) {
  Canceller canceller(pool_);
  gpu().fail("allocate", Errc::kOutOfMemory, -1);
  unsigned allocations = 0;
  gpu().set_hook([&](const FakeCall& call) {
    // The second look is the last one before the wait.
    if (call.name == "allocate" && ++allocations == 2) canceller.cancel();
  });
  std::atomic<bool> done{false};
  std::thread camera([&] {
    EXPECT_EQ(acquire({.on_exhausted = OnExhausted::kBlock,
                       .timeout = std::chrono::hours(1),
                       .canceller = &canceller})
                  .code(),
              Errc::kCancelled);
    done = true;
  });
  EXPECT_TRUE(comes_true(done)) << "waits although it was cancelled";
  clock_.advance(std::chrono::hours(2));
  camera.join();
}

TEST_F(SlotPoolTest, quarantined_slot_wakes_who_waits_for_its_quota) {
  auto quota = std::make_shared<Quota>(1);
  Lease bad = take({.quota = quota});
  std::atomic<bool> done{false};
  std::thread camera([&] {
    EXPECT_TRUE(acquire(
        {.on_exhausted = OnExhausted::kBlock, .timeout = std::chrono::hours(1), .quota = quota}));
    done = true;
  });
  clock_.wait_for_waiter();
  bad.quarantine({Errc::kDeviceFailed, "test"});
  EXPECT_TRUE(comes_true(done));
  clock_.advance(std::chrono::hours(2));
  camera.join();
}

TEST_F(SlotPoolTest, timeout_beyond_all_time_is_a_long_one_and_not_over_at_once) {
  set_cap(1);
  Lease held = take();
  std::thread camera([&] {
    Result<Lease> lease =
        acquire({.on_exhausted = OnExhausted::kBlock, .timeout = Duration::max()});
    EXPECT_TRUE(lease) << lease.error().message;
  });
  clock_.wait_for_waiter();
  held.release();
  clock_.advance(milliseconds(50));
  camera.join();
}

// camera                       consumer
//   acquire(block 1 s) waits
//                                release()
//   ... 50 ms of cooldown ...
//   gets the slot
TEST_F(SlotPoolTest, blocked_acquire_gets_the_slot_once_it_has_cooled) {
  set_cap(1);
  Lease held = take();
  std::thread camera([&] {
    Result<Lease> lease =
        acquire({.on_exhausted = OnExhausted::kBlock, .timeout = std::chrono::seconds(1)});
    EXPECT_TRUE(lease) << lease.error().message;
  });
  clock_.wait_for_waiter();
  held.release();
  clock_.advance(milliseconds(50));
  camera.join();
  EXPECT_EQ(pool_.stats(0).blocked, 1u);
  EXPECT_EQ(pool_.stats(0).timed_out, 0u);
}

TEST_F(SlotPoolTest, blocked_acquire_gets_the_slot_once_its_fence_completes) {
  gpu().set_auto_complete(false);
  set_cap(1);
  Lease held = take();
  held.set_needs_cooldown(false);
  held.add_fence(fence(held));
  std::thread camera([&] {
    Result<Lease> lease =
        acquire({.on_exhausted = OnExhausted::kBlock, .timeout = std::chrono::seconds(1)});
    EXPECT_TRUE(lease) << lease.error().message;
  });
  clock_.wait_for_waiter();
  held.release();
  gpu().complete_all();
  clock_.advance(milliseconds(2));
  camera.join();
}

// camera                               somebody else
// ------                               -------------
//                                      asks the slot's fence, the mutex dropped (hook)
// acquire: sees no slot at all, waits
//                                      the fence is complete: the slot is FREE, nobody is woken
// looks again by itself
TEST_F(SlotPoolTest, slot_whose_fence_another_thread_asks_is_not_missed) {
  gpu().set_auto_complete(false);
  set_cap(1);
  {
    Lease held = take();
    held.set_needs_cooldown(false);
    held.add_fence(fence(held));
  }
  std::atomic<bool> done{false};
  std::thread camera;
  gpu().set_hook([&](const FakeCall& call) {
    if (call.name != "is_complete" || camera.joinable()) return;
    camera = std::thread([&] {
      Result<Lease> lease =
          acquire({.on_exhausted = OnExhausted::kBlock, .timeout = std::chrono::hours(1)});
      EXPECT_TRUE(lease) << lease.error().message;
      done = true;
    });
    clock_.wait_for_waiter();
    gpu().complete_all();
  });
  EXPECT_EQ(pool_.stats(0).free, 1u);
  gpu().set_hook({});
  clock_.advance(milliseconds(2));
  EXPECT_TRUE(comes_true(done)) << "waits for nothing but its deadline";
  clock_.advance(std::chrono::hours(2));
  camera.join();
}

TEST_F(SlotPoolTest, blocked_acquire_times_out) {
  set_cap(1);
  Lease held = take();
  std::thread camera([&] {
    EXPECT_EQ(acquire({.on_exhausted = OnExhausted::kBlock, .timeout = milliseconds(20)}).code(),
              Errc::kTimedOut);
  });
  clock_.wait_for_waiter();
  clock_.advance(milliseconds(20));
  camera.join();
  EXPECT_EQ(pool_.stats(0).timed_out, 1u);
}

TEST_F(SlotPoolTest, canceller_wakes_a_blocked_acquire_and_fails_later_ones_until_reset) {
  set_cap(1);
  Canceller canceller(pool_);
  Lease held = take();
  const AcquireRequest request{.on_exhausted = OnExhausted::kBlock,
                               .timeout = std::chrono::hours(1),
                               .canceller = &canceller};
  std::thread camera([&] { EXPECT_EQ(acquire(request).code(), Errc::kCancelled); });
  clock_.wait_for_waiter();
  canceller.cancel();
  camera.join();
  held.release();
  clock_.advance(milliseconds(50));
  EXPECT_EQ(acquire(request).code(), Errc::kCancelled);
  canceller.reset();
  EXPECT_TRUE(acquire(request));
}

TEST_F(SlotPoolTest, quota_keeps_one_source_from_taking_every_slot) {
  set_cap(8);
  const auto greedy = std::make_shared<Quota>(3);
  std::vector<Lease> leases;
  for (int i = 0; i < 3; ++i) leases.push_back(take({.quota = greedy}));
  EXPECT_EQ(acquire({.quota = greedy}).code(), Errc::kQuotaExceeded);
  EXPECT_TRUE(acquire());  // somebody else's
  EXPECT_EQ(pool_.stats(0).quota_refused, 1u);
  EXPECT_EQ(greedy->used(0), 3u);
}

TEST_F(SlotPoolTest, cooling_slots_count_towards_the_quota) {
  const auto fast = std::make_shared<Quota>(1);
  take({.quota = fast}).release();
  EXPECT_EQ(acquire({.quota = fast}).code(), Errc::kQuotaExceeded);
  clock_.advance(milliseconds(50));
  EXPECT_TRUE(acquire({.quota = fast}));
}

TEST_F(SlotPoolTest, quota_holds_in_the_host_domain_too) {
  const AcquireRequest request{.on_exhausted = OnExhausted::kHost,
                               .quota = std::make_shared<Quota>(1)};
  Lease on_device = take(request);
  Lease on_host = take(request);
  EXPECT_EQ(on_host.domain(), kHostDomain);
  EXPECT_EQ(acquire(request).code(), Errc::kQuotaExceeded);
}

TEST_F(SlotPoolTest, completed_fences_give_a_source_its_quota_back) {
  gpu().set_auto_complete(false);
  const auto quota = std::make_shared<Quota>(1);
  Lease lease = take({.quota = quota});
  lease.set_needs_cooldown(false);
  lease.add_fence(fence(lease));
  lease.release();
  EXPECT_EQ(acquire({.quota = quota}).code(), Errc::kQuotaExceeded);
  gpu().complete_all();
  EXPECT_TRUE(acquire({.quota = quota}));
}

TEST_F(SlotPoolTest, quota_that_cools_as_bytes_comes_back_to_a_picture) {
  const AcquireRequest picture{.quota = std::make_shared<Quota>(1)};
  const AcquireRequest bytes{.domain = 0, .quota = picture.quota, .bytes = 1000};
  (void)std::move(pool_.acquire(bytes)).value();
  EXPECT_EQ(acquire(picture).code(), Errc::kQuotaExceeded);
  clock_.advance(milliseconds(50));
  EXPECT_TRUE(acquire(picture));
}

TEST_F(SlotPoolTest, quota_that_waits_for_a_fence_as_bytes_comes_back_to_a_picture) {
  gpu().set_auto_complete(false);
  const AcquireRequest picture{.quota = std::make_shared<Quota>(1)};
  {
    Lease bytes =
        std::move(pool_.acquire({.domain = 0, .quota = picture.quota, .bytes = 1000})).value();
    bytes.set_needs_cooldown(false);
    bytes.add_fence(fence(bytes));
  }
  EXPECT_EQ(acquire(picture).code(), Errc::kQuotaExceeded);
  gpu().complete_all();
  EXPECT_TRUE(acquire(picture));
}

TEST_F(SlotPoolTest, blocked_acquire_of_a_picture_gets_the_quota_that_cooled_as_bytes) {
  const AcquireRequest picture{.on_exhausted = OnExhausted::kBlock,
                               .timeout = std::chrono::hours(1),
                               .quota = std::make_shared<Quota>(1)};
  (void)std::move(pool_.acquire({.domain = 0, .quota = picture.quota, .bytes = 1000})).value();
  std::atomic<bool> done{false};
  std::thread camera([&] {
    EXPECT_TRUE(acquire(picture));
    done = true;
  });
  clock_.wait_for_waiter();
  clock_.advance(milliseconds(50));
  EXPECT_TRUE(comes_true(done)) << "waits for nothing but its deadline";
  clock_.advance(std::chrono::hours(2));
  camera.join();
}

// camera                                  somebody else
// ------                                  -------------
// acquire: the quota is used up
// asks another slot's fence, the mutex
// dropped (hook)
//                                         gives the quota's slot back: nobody waits, nobody is told
// the fence has failed
// has the quota
TEST_F(SlotPoolTest, quota_that_comes_back_while_a_fence_fails_is_not_missed) {
  const auto quota = std::make_shared<Quota>(1);
  std::optional<Lease> held = take({.quota = quota});
  held->set_needs_cooldown(false);
  {
    Lease bad = take();
    bad.set_needs_cooldown(false);
    bad.add_fence(fence(bad));
  }
  gpu().fail("is_complete", Errc::kDeviceFailed);
  gpu().set_hook([&](const FakeCall& call) {
    if (call.name == "is_complete") held.reset();
  });
  EXPECT_TRUE(acquire({.quota = quota}));
  EXPECT_EQ(pool_.stats(0).quarantined, 1u);
  gpu().set_hook({});
}

TEST_F(SlotPoolTest, failed_allocation_gives_the_quota_back) {
  const auto quota = std::make_shared<Quota>(1);
  gpu().fail("allocate", Errc::kOutOfMemory);
  EXPECT_EQ(acquire({.quota = quota}).code(), Errc::kOutOfMemory);
  EXPECT_TRUE(acquire({.quota = quota}));
}

}  // namespace
}  // namespace nv12slot
