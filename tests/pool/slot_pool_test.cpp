// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/slot_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "fake_clock.h"
#include "fake_device.h"
#include "nv12slot/log.h"
#include "refused.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;

class SlotPoolTest : public testing::Test {
 protected:
  SlotPoolTest() {
    set_log_sink([](LogLevel, std::string_view) {});
  }
  ~SlotPoolTest() override { set_log_sink(nullptr); }

  // Opening more domains than one makes more devices; gpu() is domain 0's.
  DeviceOpener opener() {
    return [this](Domain domain) -> Result<std::unique_ptr<Device>> {
      if (domain > 1) return Error{Errc::kNoDevice, "no such device"};
      auto device = std::make_unique<FakeDevice>(domain);
      if (domain == 0) gpu_ = device.get();
      return std::unique_ptr<Device>(std::move(device));
    };
  }

  FakeDevice& gpu() {
    EXPECT_TRUE(pool_.device(0));
    return *gpu_;
  }

  // A 64 x 64 slot of domain 0 unless told otherwise.
  Result<Lease> acquire(AcquireRequest request = {}, Domain domain = 0) {
    request.domain = domain;
    if (request.width == 0) request.width = request.height = 64;
    return pool_.acquire(request);
  }
  Lease take(AcquireRequest request = {}) {
    Result<Lease> lease = acquire(request);
    EXPECT_TRUE(lease) << (lease ? "" : lease.error().message);
    return std::move(lease).value();
  }
  Fence fence(Lease& lease) {
    return std::move(Fence::record(lease.device(), lease.stream())).value();
  }
  void set_cap(unsigned cap) { ASSERT_TRUE(pool_.set_cap(cap)); }

  FakeClock clock_;
  FakeDevice* gpu_ = nullptr;
  SlotPool pool_{clock_, opener(), PoolSettings{}};
};

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
  for (int i = 0; i < 5000 && !done; ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(done) << "waits although it was cancelled";
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
  for (int i = 0; i < 5000 && !done; ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(done);
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
  for (int i = 0; i < 5000 && !done; ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(done) << "waits for nothing but its deadline";
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
  for (int i = 0; i < 5000 && !done; ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(done) << "waits for nothing but its deadline";
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

// The hook calls back into the pool from inside each device call: it would hang if the pool held
// its lock there.
TEST_F(SlotPoolTest, no_lock_is_held_across_a_device_call) {
  set_cap(2);
  // The reaper's thread calls too, and may still be in the hook when this ends.
  struct Seen {
    std::mutex mutex;
    std::set<std::string> names;
  };
  const auto seen = std::make_shared<Seen>();
  gpu().set_hook([this, seen](const FakeCall& call) {
    {
      const std::lock_guard<std::mutex> lock(seen->mutex);
      seen->names.insert(call.name);
    }
    (void)pool_.stats(0);
  });
  {
    Lease lease = take();
    lease.set_needs_cooldown(false);
    lease.add_fence(fence(lease));
  }
  { Lease again = take(); }
  clock_.advance(milliseconds(50));
  Lease held = take();
  Lease larger = take({.width = 512, .height = 512});
  larger.set_needs_cooldown(false);
  larger.release();
  Lease largest = take({.width = 1024, .height = 1024});  // retires the one before
  gpu().set_hook(nullptr);
  const std::lock_guard<std::mutex> lock(seen->mutex);
  for (const char* name : {"allocate", "take_stream", "take_event", "record", "is_complete"}) {
    EXPECT_TRUE(seen->names.contains(name)) << name;
  }
}

TEST_F(SlotPoolTest, no_lock_is_held_while_an_idle_slot_gives_its_memory_to_a_larger_one) {
  take();
  clock_.advance(milliseconds(50));
  gpu().fail("allocate", Errc::kOutOfMemory);
  std::set<std::string> seen;
  gpu().set_hook([&](const FakeCall& call) {
    seen.insert(call.name);
    (void)pool_.stats(0);  // else hangs
  });
  EXPECT_TRUE(acquire({.width = 128, .height = 128}));
  EXPECT_TRUE(seen.contains("free"));
  EXPECT_TRUE(seen.contains("synchronize"));
  gpu().set_hook({});
}

TEST_F(SlotPoolTest, no_lock_is_held_while_a_slot_with_a_failed_fence_gives_its_events_back) {
  Lease lease = take();
  lease.add_fence(fence(lease));
  lease.add_fence(fence(lease));
  lease.release();
  clock_.advance(milliseconds(50));
  gpu().fail("is_complete", Errc::kDeviceFailed);
  unsigned given = 0;
  gpu().set_hook([&](const FakeCall& call) {
    if (call.name == "give_event") ++given;
    (void)pool_.stats(0);  // else hangs
  });
  EXPECT_EQ(pool_.stats(0).quarantined, 1u);
  EXPECT_EQ(given, 2u);
  gpu().set_hook({});
}

SlotPool* g_logging_pool = nullptr;
std::set<std::string> g_said;

// The sink calls back into the pool from inside each log line: it would hang if the pool held its
// lock there.
TEST_F(SlotPoolTest, no_lock_is_held_across_a_log_line) {
  g_logging_pool = &pool_;
  g_said.clear();
  set_log_sink([](LogLevel, std::string_view line) {
    for (const char* what : {"NEW SLOT", "POOL FULL", "QUARANTINE"}) {
      if (!line.starts_with(what)) continue;
      (void)g_logging_pool->stats(0);
      g_said.insert(what);
    }
  });
  set_cap(2);
  Lease bad = take();
  {
    Lease lease = take();
    lease.set_needs_cooldown(false);
    lease.add_fence(fence(lease));
    EXPECT_EQ(acquire().code(), Errc::kExhausted);
  }
  gpu().fail("is_complete", Errc::kDeviceFailed);
  EXPECT_EQ(acquire().code(), Errc::kExhausted);
  bad.quarantine({Errc::kDeviceFailed, "test"});
  EXPECT_EQ(pool_.stats(0).quarantined, 2u);
  EXPECT_EQ(g_said, (std::set<std::string>{"NEW SLOT", "POOL FULL", "QUARANTINE"}));
}

TEST_F(SlotPoolTest, no_lock_is_held_while_a_device_is_opened) {
  SlotPool* itself = nullptr;
  SlotPool pool(
      clock_,
      [&](Domain domain) -> Result<std::unique_ptr<Device>> {
        if (domain == 0) {
          EXPECT_TRUE(itself->device(1));  // else hangs
        }
        return std::unique_ptr<Device>(std::make_unique<FakeDevice>(domain));
      },
      PoolSettings{});
  itself = &pool;
  EXPECT_TRUE(pool.device(0));
  EXPECT_EQ(pool.domains(), (std::vector<Domain>{0, 1}));
}

TEST_F(SlotPoolTest, concurrent_acquires_never_share_a_slot) {
  set_cap(4);
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  (void)gpu();
  std::array<std::atomic<int>, 8> owners{};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        Result<Lease> lease = acquire();
        if (!lease) continue;
        EXPECT_EQ(owners[lease->slot_id()].fetch_add(1), 0);
        if ((i + t) % 3 == 0) {
          lease->set_needs_cooldown(false);
          lease->add_fence(fence(*lease));
        }
        owners[lease->slot_id()].fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const PoolStats stats = pool_.stats(0);
  EXPECT_EQ(stats.active, 0u);
  EXPECT_LE(stats.slots, 4u);
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
