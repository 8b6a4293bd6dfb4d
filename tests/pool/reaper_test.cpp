// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/reaper.h"

#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "fake_clock.h"

namespace nv12slot {
namespace {

using std::chrono::seconds;

class ReaperTest : public testing::Test {
 protected:
  [[nodiscard]] TimePoint later() const { return clock_.now() + seconds(1); }

  // Before the reaper, whose tasks use them until it is destroyed.
  FakeClock clock_;
  std::promise<void> gate_;
  std::vector<int> ran_;
  Reaper reaper_;
};

TEST_F(ReaperTest, runs_tasks_in_order_on_a_thread_of_its_own) {
  std::thread::id thread;
  reaper_.post([&] { thread = std::this_thread::get_id(); });
  for (int i = 0; i < 3; ++i) reaper_.post([this, i] { ran_.push_back(i); });
  ASSERT_TRUE(reaper_.drain(clock_, later()));
  EXPECT_EQ(ran_, (std::vector<int>{0, 1, 2}));
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST_F(ReaperTest, one_that_was_never_used_is_drained) {
  EXPECT_TRUE(reaper_.drain(clock_, clock_.now()));
}

TEST_F(ReaperTest, a_task_that_hangs_holds_up_drain_until_the_deadline_and_post_not_at_all) {
  reaper_.post([this] { gate_.get_future().wait(); });
  std::future<bool> drained =
      std::async(std::launch::async, [this] { return reaper_.drain(clock_, later()); });
  clock_.wait_for_waiter();
  clock_.advance(seconds(1));
  EXPECT_FALSE(drained.get());
  reaper_.post([this] { ran_.push_back(1); });
  gate_.set_value();
  EXPECT_TRUE(reaper_.drain(clock_, later()));
  EXPECT_EQ(ran_, std::vector<int>{1});
}

//  drain()                         reaper
//  waits for A                     A begins
//                                  A posts B and ends
//  returns true                    B hangs
TEST_F(ReaperTest, drain_does_not_wait_for_what_is_posted_later) {
  std::promise<void> a_gate;
  reaper_.post([&] {
    a_gate.get_future().wait();
    reaper_.post([this] { gate_.get_future().wait(); });
  });
  std::future<bool> drained =
      std::async(std::launch::async, [this] { return reaper_.drain(clock_, later()); });
  clock_.wait_for_waiter();
  a_gate.set_value();
  EXPECT_TRUE(drained.get());
  gate_.set_value();
}

TEST_F(ReaperTest, the_destructor_runs_what_was_posted) {
  {
    Reaper reaper;
    reaper.post([this] { gate_.get_future().wait(); });
    reaper.post([this] { ran_.push_back(1); });
    gate_.set_value();
  }
  EXPECT_EQ(ran_, std::vector<int>{1});
}

TEST_F(ReaperTest, a_task_holds_no_lock_and_what_it_captured_dies_without_one) {
  struct PostsWhenDestroyed {
    explicit PostsWhenDestroyed(Reaper& reaper) : reaper_(reaper) {}
    ~PostsWhenDestroyed() {
      reaper_.post([] {});
    }
    Reaper& reaper_;
  };
  auto captured = std::make_shared<PostsWhenDestroyed>(reaper_);
  reaper_.post([this, captured = std::move(captured)] { reaper_.post([] {}); });
  EXPECT_TRUE(reaper_.drain(clock_, later()));
}

}  // namespace
}  // namespace nv12slot
