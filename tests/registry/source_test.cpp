// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/source.h"

#include <functional>
#include <future>
#include <thread>

#include "registry_fixture.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;
using SourceTest = RegistryFixture;

TEST_F(SourceTest, counts_what_is_in_flight_from_the_guard_to_the_release) {
  Source source(clock_, "camera");
  {
    Result<InFlight> abandoned = source.begin_frame();
    EXPECT_EQ(source.stats().in_flight, 1u);
  }
  EXPECT_EQ(source.stats().in_flight, 0u);
  FrameRef frame = attach(source);
  EXPECT_EQ(source.stats().in_flight, 1u);
  frame.reset();
  const SourceStats stats = source.stats();
  EXPECT_EQ(stats.in_flight, 0u);
  EXPECT_EQ(stats.attached, 1u);
  EXPECT_EQ(stats.released, 1u);
}

TEST_F(SourceTest, refuses_new_frames_once_it_is_going) {
  Source source(clock_, "camera");
  const FrameRef frame = attach(source);
  source.refuse();
  EXPECT_EQ(source.begin_frame().code(), Errc::kSourceClosed);
  EXPECT_EQ(source.stats().refused, 1u);
  EXPECT_TRUE(registry_.lookup(frame.id()));
}

TEST_F(SourceTest, waits_until_idle_and_no_longer) {
  Source source(clock_, "camera");
  FrameRef frame = attach(source);
  std::thread waiter(
      [&] { EXPECT_TRUE(source.wait_until_idle(clock_.now() + std::chrono::hours(1))); });
  clock_.wait_for_waiter();
  frame.reset();
  waiter.join();
}

TEST_F(SourceTest, waiting_until_idle_ends_at_the_deadline) {
  Source source(clock_, "camera");
  const FrameRef frame = attach(source);
  std::thread waiter(
      [&] { EXPECT_FALSE(source.wait_until_idle(clock_.now() + milliseconds(100))); });
  clock_.wait_for_waiter();
  clock_.advance(milliseconds(100));
  waiter.join();
}

TEST_F(SourceTest, waits_for_its_own_frames_only) {
  Source source(clock_, "camera");
  Source other(clock_, "other");
  const FrameRef frame = attach(other);
  EXPECT_TRUE(source.wait_until_idle(clock_.now()));
}

/// Tells when it is asked, which the pool does when a cooldown begins.
class TellingClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override {
    if (asked) asked();
    return TimePoint(std::chrono::hours(1));
  }
  void wait_until(CondVar&, MutexLock&, TimePoint) override {}

  std::function<void()> asked;
};

TEST_F(SourceTest, is_not_idle_before_the_slot_of_its_last_frame_is_back) {
  TellingClock clock;
  SlotPool pool(
      clock,
      [](Domain domain) {
        return Result<std::unique_ptr<Device>>(std::make_unique<FakeDevice>(domain));
      },
      PoolSettings{});
  Source source(clock_, "camera");
  FrameRef frame =
      registry_.attach(std::move(pool.acquire({.domain = 0, .width = 64, .height = 64})).value(),
                       std::move(source.begin_frame()).value(), kNoPts);
  unsigned in_flight = 0;
  clock.asked = [&] { in_flight = source.stats().in_flight; };
  frame.reset();
  clock.asked = {};
  EXPECT_EQ(in_flight, 1u);
  EXPECT_TRUE(source.wait_until_idle(clock_.now()));
}

TEST_F(SourceTest, quota_can_be_kept_from_one_life_of_a_camera_to_the_next) {
  const auto quota = std::make_shared<Quota>(1);
  const AcquireRequest request{.domain = 0, .width = 64, .height = 64, .quota = quota};
  FrameRef held;
  {
    Source first(clock_, "camera", quota);
    held = registry_.attach(std::move(pool_.acquire(request)).value(),
                            std::move(first.begin_frame()).value(), kNoPts);
  }
  const Source second(clock_, "camera", quota);
  EXPECT_EQ(second.quota(), quota);
  EXPECT_EQ(pool_.acquire(request).code(), Errc::kQuotaExceeded);
}

TEST_F(SourceTest, callbacks_never_fire_after_close) {
  Source source(clock_, "camera");
  bool fired = false;
  FrameRef frame = attach(source, [&](FrameId) { fired = true; });
  source.close();
  frame.reset();
  EXPECT_FALSE(fired);
  EXPECT_EQ(pool_.stats(0).active, 0u);  // the slot goes back all the same
}

TEST_F(SourceTest, callbacks_never_fire_after_the_source_is_destroyed) {
  bool fired = false;
  FrameRef frame;
  {
    Source source(clock_, "camera");
    frame = attach(source, [&](FrameId) { fired = true; });
  }
  frame.reset();
  EXPECT_FALSE(fired);
}

// consumer                     camera
//   drops the last reference
//   callback runs
//                                close() waits
//   callback ends
//                                close() returns
TEST_F(SourceTest, close_waits_for_a_callback_that_runs) {
  Source source(clock_, "camera");
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> ended{false};
  FrameRef frame = attach(source, [&](FrameId) {
    entered.set_value();
    leave.get_future().wait();
    ended = true;
  });
  std::thread consumer([&] { frame.reset(); });
  entered.get_future().wait();
  std::thread camera([&] {
    source.close();
    EXPECT_TRUE(ended);
  });
  while (source.begin_frame().ok()) std::this_thread::yield();  // until close() has begun
  leave.set_value();
  camera.join();
  consumer.join();
}

// one consumer                 another                      camera
//   callback runs
//                                callback runs and ends
//                                                             close() waits
//   callback ends
//                                                             close() returns
TEST_F(SourceTest, close_waits_for_the_callbacks_of_every_thread) {
  Source source(clock_, "camera");
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> ended{false};
  FrameRef slow = attach(source, [&](FrameId) {
    entered.set_value();
    leave.get_future().wait();
    ended = true;
  });
  FrameRef quick = attach(source, [](FrameId) {});
  std::thread consumer([&] { slow.reset(); });
  entered.get_future().wait();
  quick.reset();
  std::thread camera([&] {
    source.close();
    EXPECT_TRUE(ended);
  });
  while (source.begin_frame().ok()) std::this_thread::yield();  // until close() has begun
  leave.set_value();
  camera.join();
  consumer.join();
}

TEST_F(SourceTest, close_may_be_called_from_a_callback) {
  Source source(clock_, "camera");
  FrameRef frame = attach(source, [&](FrameId) { source.close(); });
  frame.reset();
  EXPECT_EQ(source.begin_frame().code(), Errc::kSourceClosed);
}

// one consumer                 another
//   callback runs
//                                callback runs
//   close()                      close()
// Each would wait for the other's callback for ever.
TEST_F(SourceTest, close_may_be_called_from_the_callbacks_of_two_threads_at_once) {
  auto source = std::make_unique<Source>(clock_, "camera");
  std::atomic<int> running{0};
  std::atomic<int> ended{0};
  const auto close_once_both_run = [&](FrameId) {
    ++running;
    while (running < 2) std::this_thread::yield();
    source->close();
    ++ended;
  };
  FrameRef one = attach(*source, close_once_both_run);
  FrameRef two = attach(*source, close_once_both_run);
  std::thread consumer([&] { one.reset(); });
  std::thread another([&] { two.reset(); });
  consumer.join();
  another.join();
  source.reset();
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace nv12slot
