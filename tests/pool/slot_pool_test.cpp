// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/slot_pool.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "refused.h"
#include "slot_pool_fixture.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;

TEST_F(SlotPoolTest, unfenced_slot_is_not_handed_out_before_the_cooldown) {
  set_cap(1);
  take().release();
  clock_.advance(milliseconds(50) - Duration(1));
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  EXPECT_EQ(pool_.stats(0).cooling, 1u);
  clock_.advance(Duration(1));
  EXPECT_TRUE(acquire());
}

TEST_F(SlotPoolTest, fenced_slot_is_handed_out_when_its_fence_completes_and_no_sooner) {
  gpu().set_auto_complete(false);
  set_cap(1);
  Lease lease = take();
  lease.set_needs_cooldown(false);
  lease.add_fence(fence(lease));
  lease.release();
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  gpu().complete_all();
  EXPECT_TRUE(acquire());
}

TEST_F(SlotPoolTest, slot_with_many_fences_waits_for_every_one) {
  gpu().set_auto_complete(false);
  set_cap(1);
  const StreamHandle a = gpu().take_stream().value();
  const StreamHandle b = gpu().take_stream().value();
  Lease lease = take();
  lease.set_needs_cooldown(false);
  lease.add_fence(std::move(Fence::record(gpu(), a)).value());
  lease.add_fence(std::move(Fence::record(gpu(), b)).value());
  lease.release();
  gpu().complete(a);
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  gpu().complete(b);
  EXPECT_TRUE(acquire());
}

TEST_F(SlotPoolTest, one_complete_fence_of_several_is_not_enough_whichever_it_is) {
  gpu().set_auto_complete(false);
  set_cap(1);
  std::array<StreamHandle, 3> readers;
  for (StreamHandle& reader : readers) reader = gpu().take_stream().value();
  for (const StreamHandle quick : readers) {
    Lease lease = take();
    lease.set_needs_cooldown(false);
    for (const StreamHandle reader : readers) {
      lease.add_fence(std::move(Fence::record(gpu(), reader)).value());
    }
    lease.release();
    gpu().complete(quick);
    EXPECT_EQ(acquire().code(), Errc::kExhausted);
    gpu().complete_all();
  }
}

TEST_F(SlotPoolTest, lease_that_was_moved_still_has_its_fences) {
  gpu().set_auto_complete(false);
  set_cap(2);
  Lease fenced = take();
  fenced.set_needs_cooldown(false);
  fenced.add_fence(fence(fenced));
  Lease moved = std::move(fenced);
  Lease assigned = take();  // cools from the assignment on
  assigned = std::move(moved);
  assigned.release();
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  gpu().complete_all();
  EXPECT_TRUE(acquire());
}

TEST_F(SlotPoolTest, slot_with_fenced_and_unfenced_readers_waits_for_both) {
  gpu().set_auto_complete(false);
  set_cap(1);
  Lease lease = take();
  lease.add_fence(fence(lease));
  lease.release();
  gpu().complete_all();
  EXPECT_EQ(acquire().code(), Errc::kExhausted);  // the cooldown has not passed
  clock_.advance(milliseconds(50));
  EXPECT_TRUE(acquire());
}

TEST_F(SlotPoolTest, warm_pool_makes_no_driver_call_for_unfenced_slots) {
  take().release();
  clock_.advance(milliseconds(50));
  gpu().forget_calls();
  for (int i = 0; i < 100; ++i) {
    take().release();
    clock_.advance(milliseconds(50));
  }
  EXPECT_TRUE(gpu().calls().empty()) << gpu().calls().front().name;
}

TEST_F(SlotPoolTest, exact_size_is_taken_before_a_larger_one) {
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  Lease large = take({.width = 512, .height = 128});
  Lease exact = take({.width = 512, .height = 64});
  const unsigned id = exact.slot_id();
  exact.release();
  large.release();
  EXPECT_EQ(take({.width = 512, .height = 64}).slot_id(), id);
}

TEST_F(SlotPoolTest, best_fitting_larger_slot_is_taken_before_a_new_one_is_made) {
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  Lease larger = take({.width = 512, .height = 256});
  Lease large = take({.width = 512, .height = 128});
  const unsigned id = large.slot_id();
  large.release();
  larger.release();
  Lease lease = take({.width = 512, .height = 64});
  EXPECT_EQ(lease.slot_id(), id);
  EXPECT_EQ(lease.layout().height, 64u);
  EXPECT_EQ(lease.planes().uv, lease.planes().y + 512u * 64u);
  EXPECT_GE(lease.capacity(), lease.layout().size());
}

TEST_F(SlotPoolTest, idle_slots_of_other_sizes_do_not_fill_the_cap) {
  set_cap(2);
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  {
    Lease a = take();
    Lease b = take();
  }
  EXPECT_EQ(pool_.stats(0).free, 2u);
  Lease big = take({.width = 1920, .height = 1080});
  const PoolStats stats = pool_.stats(0);
  EXPECT_EQ(stats.slots, 2u);
  EXPECT_EQ(stats.retired, 1u);
}

TEST_F(SlotPoolTest, slots_in_use_are_never_retired_for_another_size) {
  set_cap(1);
  Lease small = take();
  EXPECT_EQ(acquire({.width = 1920, .height = 1080}).code(), Errc::kExhausted);
  EXPECT_EQ(gpu().count("free"), 0u);
}

TEST_F(SlotPoolTest, nothing_is_freed_and_nothing_waits_when_leases_come_and_go) {
  for (int camera = 0; camera < 50; ++camera) {
    std::vector<Lease> frames;
    for (int i = 0; i < 4; ++i) frames.push_back(take());
    frames.clear();
    clock_.advance(milliseconds(60));
  }
  EXPECT_EQ(gpu().count("allocate"), 4u);
  EXPECT_EQ(gpu().count("free"), 0u);
  EXPECT_EQ(gpu().count("synchronize"), 0u);
}

TEST_F(SlotPoolTest, slot_that_outlives_its_source_is_used_again_and_not_freed) {
  auto quota = std::make_shared<Quota>(1);
  Lease last = take({.quota = quota});
  const unsigned id = last.slot_id();
  quota.reset();  // the source is gone
  last.release();
  clock_.advance(milliseconds(50));
  EXPECT_EQ(take().slot_id(), id);
  EXPECT_EQ(pool_.stats(0).retired, 0u);
}

TEST_F(SlotPoolTest, failed_fence_quarantines_the_slot_for_good) {
  gpu().set_auto_complete(false);
  set_cap(1);
  Lease lease = take();
  lease.set_needs_cooldown(false);
  lease.add_fence(fence(lease));
  lease.release();
  gpu().fail("is_complete", Errc::kDeviceFailed);
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  gpu().complete_all();
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  EXPECT_EQ(pool_.stats(0).quarantined, 1u);
}

TEST_F(SlotPoolTest, slot_whose_fence_may_not_be_asked_because_of_exit_keeps_cooling) {
  gpu().set_auto_complete(false);
  set_cap(1);
  Lease lease = take();
  lease.set_needs_cooldown(false);
  lease.add_fence(fence(lease));
  lease.release();
  gpu().fail("is_complete", Errc::kExiting, -1);
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  EXPECT_EQ(pool_.stats(0).cooling, 1u);
}

TEST_F(SlotPoolTest, quarantined_lease_is_never_handed_out_again) {
  set_cap(2);
  const auto quota = std::make_shared<Quota>(1);
  take({.quota = quota}).quarantine(Error{Errc::kDeviceFailed, "the copy failed"});
  clock_.advance(std::chrono::hours(1));
  Lease other = take({.quota = quota});
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  EXPECT_EQ(pool_.stats(0).quarantined, 1u);
}

TEST_F(SlotPoolTest, reserve_slots_are_apart_from_cap_and_from_ordinary_requests) {
  set_cap(1);
  Lease held = take();
  const unsigned reserve_id = take({.reserve = true}).slot_id();
  clock_.advance(milliseconds(50));
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  EXPECT_EQ(take({.reserve = true}).slot_id(), reserve_id);
  EXPECT_EQ(pool_.stats(0).slots, 1u);
  EXPECT_EQ(pool_.stats(0).reserve, 1u);
}

TEST_F(SlotPoolTest, lower_cap_takes_nothing_away_and_retires_what_is_released) {
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  Lease a = take();
  Lease b = take();
  set_cap(1);
  EXPECT_EQ(pool_.stats(0).slots, 2u);
  b.release();
  EXPECT_EQ(pool_.stats(0).slots, 1u);
  a.release();
  EXPECT_EQ(pool_.stats(0).slots, 1u);
}

TEST_F(SlotPoolTest, higher_cap_wakes_a_blocked_acquire) {
  set_cap(1);
  Lease held = take();
  std::thread camera([&] {
    EXPECT_TRUE(acquire({.on_exhausted = OnExhausted::kBlock, .timeout = std::chrono::hours(1)}));
  });
  clock_.wait_for_waiter();
  set_cap(2);
  camera.join();
}

TEST_F(SlotPoolTest, bad_requests_are_refused_with_what_is_legal) {
  EXPECT_EQ(acquire({.width = 63, .height = 64}).code(), Errc::kInvalidArgument);
  EXPECT_EQ(acquire({.width = 64, .height = 0}).code(), Errc::kInvalidArgument);
  EXPECT_EQ(acquire({.width = 1u << 20, .height = 64}).code(), Errc::kInvalidArgument);
  EXPECT_EQ(acquire({}, 7).code(), Errc::kNoDevice);
  EXPECT_EQ(acquire({}, -2).code(), Errc::kInvalidArgument);
  EXPECT_EQ(acquire({}, kMaxDomains).code(), Errc::kInvalidArgument);
  EXPECT_EQ(refused(pool_.set_cap(0)), Errc::kInvalidArgument);
  EXPECT_EQ(refused(pool_.set_cap(SlotPool::kMaxCap + 1)), Errc::kInvalidArgument);
  EXPECT_EQ(refused(pool_.set_cooldown(Duration(-1))), Errc::kInvalidArgument);
  EXPECT_EQ(refused(pool_.set_cooldown(std::chrono::minutes(1))), Errc::kInvalidArgument);
  EXPECT_TRUE(acquire());
}

TEST_F(SlotPoolTest, pool_full_is_said_at_most_once_a_second_with_the_count) {
  static std::vector<std::string> lines;
  lines.clear();
  set_log_sink([](LogLevel, std::string_view line) {
    if (line.starts_with("POOL FULL")) lines.emplace_back(line);
  });
  set_cap(1);
  Lease held = take();
  for (int i = 0; i < 10; ++i) (void)acquire().ok();
  clock_.advance(std::chrono::seconds(1));
  (void)acquire().ok();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[1].find("(10 times"), std::string::npos) << lines[1];
}

TEST(PoolSettingsTest, environment_sets_cap_and_cooldown_and_nonsense_is_ignored) {
  set_log_sink([](LogLevel, std::string_view) {});
  setenv("NV12SLOT_POOL_CAP", "12", 1);
  setenv("NV12SLOT_POOL_COOLDOWN_MS", "2.5", 1);
  EXPECT_EQ(pool_settings_from_environment().cap, 12u);
  EXPECT_EQ(pool_settings_from_environment().cooldown, std::chrono::microseconds(2500));
  for (const char* nonsense : {"0", "-1", "1.5", "many", "12x", "1e9", ""}) {
    setenv("NV12SLOT_POOL_CAP", nonsense, 1);
    EXPECT_EQ(pool_settings_from_environment().cap, 64u) << nonsense;
  }
  for (const char* nonsense : {"-1", "nan", "inf", "60000", "x"}) {
    setenv("NV12SLOT_POOL_COOLDOWN_MS", nonsense, 1);
    EXPECT_EQ(pool_settings_from_environment().cooldown, milliseconds(50)) << nonsense;
  }
  unsetenv("NV12SLOT_POOL_CAP");
  unsetenv("NV12SLOT_POOL_COOLDOWN_MS");
  set_log_sink(nullptr);
}

}  // namespace
}  // namespace nv12slot
