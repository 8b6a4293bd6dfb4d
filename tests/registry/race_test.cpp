// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Races between the pool, the registry and the end of a source, or of the process, each in the
// order that matters.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <thread>
#include <utility>

#include "../standin/standin_control.h"
#include "nv12slot/process.h"
#include "registry_fixture.h"

namespace nv12slot {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using RaceTest = RegistryFixture;

// drain                        camera
//                                begin_frame()
//   wait_until_idle()
//                                acquire() waits for a slot
//                                gets it, attaches, and drops the frame
//   returns: the slot is back
TEST_F(RaceTest, source_is_not_idle_while_a_frame_still_waits_for_its_slot) {
  ASSERT_TRUE(pool_.set_cap(1));
  Source source(clock_, "camera");
  Lease taken = lease();
  Result<InFlight> guard = source.begin_frame();
  ASSERT_TRUE(guard);
  source.refuse();
  std::thread drain([&] {
    EXPECT_TRUE(source.wait_until_idle(clock_.now() + hours(1)));
    EXPECT_EQ(source.stats().attached, 1u);
    EXPECT_EQ(pool_.stats(0).active, 0u);
  });
  clock_.wait_for_waiter();
  std::thread camera([&] {
    Result<Lease> slot = pool_.acquire({.domain = 0,
                                        .width = 64,
                                        .height = 64,
                                        .on_exhausted = OnExhausted::kBlock,
                                        .timeout = hours(1)});
    ASSERT_TRUE(slot) << slot.error().message;
    (void)registry_.attach(std::move(slot).value(), std::move(guard).value(), kNoPts);
  });
  while (pool_.stats(0).blocked == 0) std::this_thread::yield();
  EXPECT_EQ(source.stats().in_flight, 1u);
  taken.release();
  clock_.advance(milliseconds(50));
  camera.join();
  drain.join();
}

/// A clock that runs something the next time it is asked, which the registry does with its table
/// locked.
class TellingClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override {
    if (const auto run = std::exchange(asked, {})) run();
    return TimePoint(hours(1));
  }
  void wait_until(CondVar&, MutexLock&, TimePoint) override {}

  mutable std::function<void()> asked;
};

// statistics                   another                      consumer
//   has the table
//                                lookup() waits for the table
//                                                             drops the last reference
//                                                             waits for the table
//   lets it go: either is next
// lookup() finds nothing, or, where it was before the drop after all, keeps the slot; never a frame
// that goes.
TEST_F(RaceTest, lookup_while_the_last_reference_goes_finds_a_frame_that_stays_or_none) {
  for (int round = 0; round < 30; ++round) {
    TellingClock clock;
    FrameRegistry registry(clock);
    Source source(clock_, "camera");
    FrameRef frame = registry.attach(lease(), std::move(source.begin_frame()).value(), kNoPts);
    const FrameId id = frame.id();
    FrameRef found;
    std::thread consumer;
    std::thread another;
    clock.asked = [&] {
      // Long enough for each to come to the table, mostly: nothing tells.
      another = std::thread([&] { found = registry.lookup(id); });
      std::this_thread::sleep_for(milliseconds(1));
      consumer = std::thread([&] { frame.reset(); });
      std::this_thread::sleep_for(milliseconds(1));
    };
    (void)registry.oldest_age(source);
    consumer.join();
    another.join();
    EXPECT_EQ(pool_.stats(0).active, found ? 1u : 0u);
    EXPECT_EQ(registry.stats().frames, found ? 1u : 0u);
    EXPECT_EQ(source.stats().released, found ? 0u : 1u);
    found.reset();
    clock_.advance(milliseconds(50));
  }
}

std::promise<void> g_released;
std::promise<void> g_exit_began;
std::thread* g_consumer = nullptr;

// Registered before the driver is loaded, so that it runs after the library's own handler.
void let_the_release_go_on() {
  g_exit_began.set_value();
  g_consumer->join();
  const PoolStats stats = Process::get().pool->stats(0);
  const bool silent = standin::control().calls_after_exit() == 0;
  std::fprintf(stderr, "active %u, cooling %u, silent %d\n", stats.active, stats.cooling, silent);
  std::_Exit(0);
}

// main                         consumer
//                                drops the last reference of a frame with a fence
//                                its callback runs
//   exit() begins
//                                fences in vain, gives the slot back: the driver is not called
TEST(ExitRaceTest, release_that_exit_overtakes_ends_without_the_driver) {
  if (!standin::control().present()) GTEST_SKIP() << "needs the stand-in driver";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::atexit(let_the_release_go_on);
        const Process& process = Process::get();
        auto* source = new Source(process.pool->clock(), "camera");
        Lease lease =
            std::move(process.pool->acquire({.domain = 0, .width = 64, .height = 64})).value();
        Device& device = lease.device();
        auto* frame = new FrameRef(process.registry->attach(
            std::move(lease), std::move(source->begin_frame()).value(), kNoPts, [&](FrameId) {
              g_released.set_value();
              g_exit_began.get_future().wait();
              if (Fence::record(device, nullptr).code() != Errc::kExiting) std::_Exit(4);
            }));
        frame->set_all_readers_fence();
        if (!frame->fence(nullptr)) std::_Exit(5);
        g_consumer = new std::thread([frame] { frame->reset(); });
        g_released.get_future().wait();
        std::exit(3);
      },
      testing::ExitedWithCode(0), "active 0, cooling 1, silent 1");
}

}  // namespace
}  // namespace nv12slot
