// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/fence.h"

#include <gtest/gtest.h>

#include "fake_device.h"
#include "nv12slot/host_device.h"

namespace nv12slot {
namespace {

class FenceTest : public testing::Test {
 protected:
  FenceTest() { device_.set_auto_complete(false); }

  FakeDevice device_;
  const StreamHandle stream_ = *device_.take_stream();
};

TEST_F(FenceTest, is_complete_once_the_stream_has_come_there) {
  const Result<Fence> fence = Fence::record(device_, stream_);
  ASSERT_TRUE(fence);
  EXPECT_FALSE(*fence.value().is_complete());
  device_.complete(stream_);
  EXPECT_TRUE(*fence.value().is_complete());
}

TEST_F(FenceTest, is_recorded_in_the_stream_that_was_named) {
  const StreamHandle other = *device_.take_stream();
  const Result<Fence> fence = Fence::record(device_, stream_);
  ASSERT_TRUE(fence);
  device_.complete(other);
  EXPECT_FALSE(*fence.value().is_complete());
}

TEST_F(FenceTest, a_wait_goes_into_the_readers_stream) {
  const StreamHandle reader = *device_.take_stream();
  const Result<Fence> fence = Fence::record(device_, stream_);
  ASSERT_TRUE(fence);
  const EventHandle recorded = device_.calls().back().event;
  ASSERT_TRUE(fence.value().make_wait(reader));
  const FakeCall wait = device_.calls().back();
  EXPECT_EQ(wait.name, "wait");
  EXPECT_EQ(wait.stream, reader);
  EXPECT_EQ(wait.event, recorded);
}

TEST_F(FenceTest, gives_its_event_back_once) {
  {
    Result<Fence> fence = Fence::record(device_, stream_);
    ASSERT_TRUE(fence);
    EXPECT_EQ(device_.taken_events(), 1u);
    Fence moved = std::move(fence).value();
    EXPECT_EQ(device_.taken_events(), 1u);
  }
  EXPECT_EQ(device_.taken_events(), 0u);
  EXPECT_EQ(device_.count("give_event"), 1u);
}

TEST_F(FenceTest, assignment_lets_both_fences_keep_or_return_their_own_event) {
  {
    Result<Fence> first = Fence::record(device_, stream_);
    Result<Fence> second = Fence::record(device_, *device_.take_stream());
    ASSERT_TRUE(first && second);
    *first = std::move(*second);
    device_.complete(stream_);
    EXPECT_FALSE(*first->is_complete()) << "still waits for the stream it had before";
  }
  EXPECT_EQ(device_.taken_events(), 0u);
  EXPECT_EQ(device_.count("give_event"), 2u);
}

TEST_F(FenceTest, a_failed_record_keeps_no_event) {
  device_.fail("record", Errc::kDeviceFailed);
  const Result<Fence> fence = Fence::record(device_, stream_);
  ASSERT_FALSE(fence);
  EXPECT_EQ(fence.code(), Errc::kDeviceFailed);
  EXPECT_EQ(device_.taken_events(), 0u);
}

TEST_F(FenceTest, no_event_to_be_had_is_an_error) {
  device_.fail("take_event", Errc::kExiting);
  EXPECT_EQ(Fence::record(device_, stream_).code(), Errc::kExiting);
}

TEST_F(FenceTest, a_failed_query_is_an_error_not_an_answer) {
  const Result<Fence> fence = Fence::record(device_, stream_);
  ASSERT_TRUE(fence);
  device_.fail("is_complete", Errc::kDeviceFailed);
  EXPECT_EQ(fence.value().is_complete().code(), Errc::kDeviceFailed);
}

TEST(HostFence, is_always_complete) {
  HostDevice host;
  const Result<Fence> fence = Fence::record(host, nullptr);
  ASSERT_TRUE(fence);
  EXPECT_TRUE(*fence.value().is_complete());
  EXPECT_TRUE(fence.value().make_wait(nullptr));
}

}  // namespace
}  // namespace nv12slot
