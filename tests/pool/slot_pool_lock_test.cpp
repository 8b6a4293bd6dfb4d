// SPDX-License-Identifier: LGPL-2.1-or-later
//
// That no lock is held where a device, a log or a caller may take its time, and that threads never
// share a slot.

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "slot_pool_fixture.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;

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

}  // namespace
}  // namespace nv12slot
