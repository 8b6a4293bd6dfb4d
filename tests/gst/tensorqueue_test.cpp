// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensorqueue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

namespace nv12slot::gst {
namespace {

class TensorQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    for (GstPad* pad : {a_, b_}) queue_.add_pad(pad);
    queue_.set_stopped(false);
  }

  static TensorInput input_of(GstPad* pad) {
    TensorInput input;
    input.pad = pad;
    return input;
  }
  bool push(GstPad* pad) { return queue_.push(input_of(pad)); }

  // Only names.
  std::array<char, 2> names_{};
  GstPad* const a_ = reinterpret_cast<GstPad*>(&names_[0]);
  GstPad* const b_ = reinterpret_cast<GstPad*>(&names_[1]);
  TensorQueue queue_{steady_clock()};
};

/// A camera that pushes a second picture, and so waits for its place.
class Waiting {
 public:
  Waiting(TensorQueue& queue, GstPad* pad) {
    TensorInput first;
    first.pad = pad;
    EXPECT_TRUE(queue.push(std::move(first)));
    thread_ = std::thread([this, &queue, pad] {
      TensorInput second;
      second.pad = pad;
      taken_ = queue.push(std::move(second));
      is_done_ = true;
    });
  }
  ~Waiting() {
    if (thread_.joinable()) thread_.join();
  }
  bool is_done() const { return is_done_; }
  bool join() {
    thread_.join();
    return taken_;
  }

 private:
  std::thread thread_;
  std::atomic<bool> taken_{false}, is_done_{false};
};

TEST_F(TensorQueueTest, gives_pictures_out_in_the_order_in_which_they_came) {
  push(b_);
  push(a_);
  EXPECT_EQ(queue_.pop({}).input->pad, b_);
  EXPECT_EQ(queue_.pop({}).input->pad, a_);
}

TEST_F(TensorQueueTest, a_camera_waits_while_its_picture_is_here_and_others_do_not) {
  Waiting camera(queue_, a_);
  EXPECT_TRUE(push(b_));
  EXPECT_FALSE(camera.is_done());
  EXPECT_EQ(queue_.pop({}).input->pad, a_);
  EXPECT_TRUE(camera.join());
}

TEST_F(TensorQueueTest, a_flush_wakes_the_camera_and_drops_its_picture) {
  Waiting camera(queue_, a_);
  push(b_);
  queue_.set_flushing(a_, true);
  EXPECT_FALSE(camera.join());
  EXPECT_EQ(queue_.pop({}).input->pad, b_);
  EXPECT_FALSE(push(a_));
  queue_.set_flushing(a_, false);
  EXPECT_TRUE(push(a_));
}

TEST_F(TensorQueueTest, removing_a_pad_wakes_its_camera_and_drops_its_picture) {
  Waiting camera(queue_, a_);
  queue_.remove_pad(a_);
  EXPECT_FALSE(camera.join());
  EXPECT_FALSE(queue_.pop(steady_clock().now()).input);
}

TEST_F(TensorQueueTest, stopping_wakes_everybody) {
  Waiting camera(queue_, a_);
  queue_.set_stopped(true);
  EXPECT_FALSE(camera.join());
  const TensorQueue::Taken taken = queue_.pop({});
  EXPECT_FALSE(taken.input);
  EXPECT_FALSE(taken.is_end);
}

TEST_F(TensorQueueTest, it_ends_when_all_pads_have_and_their_pictures_are_out) {
  push(a_);
  queue_.end(a_);
  queue_.end(b_);
  EXPECT_FALSE(push(b_));
  EXPECT_EQ(queue_.pop({}).input->pad, a_);
  EXPECT_TRUE(queue_.pop({}).is_end);
}

TEST_F(TensorQueueTest, it_ends_when_the_only_pad_that_had_not_is_removed) {
  queue_.end(a_);
  EXPECT_FALSE(queue_.pop(steady_clock().now()).is_end);
  queue_.remove_pad(b_);
  EXPECT_TRUE(queue_.pop({}).is_end);
}

TEST_F(TensorQueueTest, waits_no_longer_than_until_the_deadline) {
  const TensorQueue::Taken taken = queue_.pop(steady_clock().now() + std::chrono::milliseconds(1));
  EXPECT_FALSE(taken.input);
  EXPECT_FALSE(taken.is_end);
}

}  // namespace
}  // namespace nv12slot::gst
