// SPDX-License-Identifier: LGPL-2.1-or-later
#include "encodedqueue.h"

#include <gtest/gtest.h>

#include <thread>

namespace nv12slot::gst {
namespace {

using Item = EncodedQueue::Item;

Item frame_of(std::uint64_t connection) {
  Item item;
  item.connection = connection;
  return item;
}

TEST(EncodedQueueTest, takes_frames_of_the_connection_it_hears_and_of_no_other) {
  EncodedQueue queue;
  EXPECT_FALSE(queue.push(frame_of(1)));
  queue.begin(1);
  EXPECT_TRUE(queue.push(frame_of(1)));
  EXPECT_FALSE(queue.push(frame_of(2)));
  queue.begin(2);
  EXPECT_FALSE(queue.push(frame_of(1)));
  EXPECT_TRUE(queue.push(frame_of(2)));
  EXPECT_EQ(queue.pop()->connection, 1U) << "what had come stays";
  EXPECT_EQ(queue.pop()->connection, 2U);
}

TEST(EncodedQueueTest, an_outage_comes_behind_the_frames_and_once) {
  EncodedQueue queue;
  queue.begin(1);
  ASSERT_TRUE(queue.push(frame_of(1)));
  for (int i = 0; i < 1000; ++i) queue.end(Item::Kind::kOutage);
  EXPECT_FALSE(queue.push(frame_of(1)));
  EXPECT_EQ(queue.pop()->kind, Item::Kind::kFrame);
  EXPECT_EQ(queue.pop()->kind, Item::Kind::kOutage);
  queue.end(Item::Kind::kEnd);
  EXPECT_EQ(queue.pop()->kind, Item::Kind::kEnd) << "not another outage";
}

TEST(EncodedQueueTest, a_connection_that_waits_for_room_is_held_back_until_it_is_given_up) {
  EncodedQueue queue;
  queue.begin(1);
  std::thread connection([&queue] {
    while (queue.push(frame_of(1))) {
    }
  });
  while (!queue.backlog().is_held_back) std::this_thread::yield();
  EXPECT_FALSE(queue.backlog().was_held_back);
  queue.end(Item::Kind::kOutage);
  connection.join();
  EXPECT_FALSE(queue.backlog().is_held_back);
  EXPECT_TRUE(queue.backlog().was_held_back);
}

TEST(EncodedQueueTest, an_interrupted_reader_comes_back_with_nothing) {
  EncodedQueue queue;
  std::thread reader([&queue] { EXPECT_FALSE(queue.pop()); });
  queue.interrupt(true);
  reader.join();
  queue.interrupt(false);
  queue.begin(1);
  ASSERT_TRUE(queue.push(frame_of(1)));
  EXPECT_TRUE(queue.pop());
}

}  // namespace
}  // namespace nv12slot::gst
