// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The stand-in driver: what runs when, and what the host waits for.

#include <array>
#include <chrono>

#include "driver_symbols.h"

namespace nv12slot::standin {
namespace {

class StreamTest : public StandinTest {};

TEST_F(StreamTest, operations_of_a_stream_run_in_order_and_later) {
  const CUdeviceptr pointer = memory(1);
  const CUstream queue = stream();
  StreamGate gate(queue);
  ASSERT_EQ(fill_async(pointer, 1, 1, queue), CUDA_SUCCESS);
  ASSERT_EQ(fill_async(pointer, 2, 1, queue), CUDA_SUCCESS);
  gate.wait_until_reached();
  EXPECT_EQ(byte_at(pointer), 0);
  EXPECT_EQ(query_stream(queue), kNotReady);
  EXPECT_EQ(control().pending_operations(0), 3u);
  gate.open();
  ASSERT_EQ(synchronize(queue), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer), 2);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(StreamTest, event_is_complete_when_what_came_before_is) {
  const CUstream queue = stream();
  const CUevent done = event();
  EXPECT_EQ(query_event(done), CUDA_SUCCESS);
  StreamGate gate(queue);
  ASSERT_EQ(record_event(done, queue), CUDA_SUCCESS);
  EXPECT_EQ(query_event(done), kNotReady);
  gate.open();
  EXPECT_EQ(synchronize_event(done), CUDA_SUCCESS);
  EXPECT_EQ(query_event(done), CUDA_SUCCESS);
}

TEST_F(StreamTest, stream_waits_for_an_event_of_another_stream) {
  const CUdeviceptr pointer = memory(1);
  const CUstream first = stream();
  const CUstream second = stream();
  const CUevent done = event();
  StreamGate gate(first);
  ASSERT_EQ(record_event(done, first), CUDA_SUCCESS);
  ASSERT_EQ(wait_event(second, done, 0), CUDA_SUCCESS);
  ASSERT_EQ(fill_async(pointer, 7, 1, second), CUDA_SUCCESS);
  let_others_run();
  EXPECT_EQ(query_stream(second), kNotReady);
  gate.open();
  ASSERT_EQ(synchronize(second), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer), 7);
  EXPECT_EQ(query_stream(first), CUDA_SUCCESS);
}

TEST_F(StreamTest, legacy_stream_orders_blocking_streams_only) {
  const CUstream blocking = stream(0);
  const CUstream free_running = stream();
  const CUdeviceptr pointer = memory(2);
  StreamGate gate(nullptr);
  ASSERT_EQ(fill_async(pointer, 1, 1, blocking), CUDA_SUCCESS);
  ASSERT_EQ(fill_async(pointer + 1, 1, 1, free_running), CUDA_SUCCESS);
  EXPECT_EQ(synchronize(free_running), CUDA_SUCCESS);
  EXPECT_EQ(query_stream(blocking), kNotReady);
  gate.open();
  EXPECT_EQ(synchronize(blocking), CUDA_SUCCESS);

  StreamGate other(blocking);
  ASSERT_EQ(fill_async(pointer, 2, 1, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(query_stream(nullptr), kNotReady);
  other.open();
  EXPECT_EQ(synchronize(nullptr), CUDA_SUCCESS);
}

TEST_F(StreamTest, asynchronous_copy_from_pageable_memory_is_staged) {
  const CUstream queue = stream();
  const CUdeviceptr pointer = memory(1);
  StreamGate gate(queue);
  uint8_t source = 5;
  ASSERT_EQ(copy_to_device_async(pointer, &source, 1, queue), CUDA_SUCCESS);
  source = 6;
  gate.open();
  ASSERT_EQ(synchronize(queue), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer), 5);
}

TEST_F(StreamTest, asynchronous_copy_from_page_locked_memory_is_not_staged) {
  const CUstream queue = stream();
  const CUdeviceptr pointer = memory(1);
  void* source = nullptr;
  ASSERT_EQ(allocate_host(&source, 1), CUDA_SUCCESS);
  StreamGate gate(queue);
  *static_cast<uint8_t*>(source) = 5;
  ASSERT_EQ(copy_to_device_async(pointer, source, 1, queue), CUDA_SUCCESS);
  *static_cast<uint8_t*>(source) = 6;
  gate.open();
  ASSERT_EQ(synchronize(queue), CUDA_SUCCESS);
  EXPECT_EQ(byte_at(pointer), 6);
  EXPECT_EQ(free_host(source), CUDA_SUCCESS);
}

TEST_F(StreamTest, asynchronous_copy_to_pageable_memory_is_complete_on_return) {
  const CUstream queue = stream();
  const CUdeviceptr pointer = memory(1);
  ASSERT_EQ(fill_async(pointer, 9, 1, queue), CUDA_SUCCESS);
  uint8_t target = 0;
  ASSERT_EQ(copy_to_host_async(&target, pointer, 1, queue), CUDA_SUCCESS);
  EXPECT_EQ(target, 9);
}

TEST_F(StreamTest, synchronous_copy_on_the_device_does_not_wait) {
  const CUdeviceptr pointer = memory(2);
  StreamGate gate(nullptr);
  EXPECT_EQ(copy_on_device(pointer, pointer + 1, 1), CUDA_SUCCESS);
  EXPECT_EQ(query_stream(nullptr), kNotReady);
  gate.open();
  EXPECT_EQ(synchronize(nullptr), CUDA_SUCCESS);
}

TEST_F(StreamTest, rectangle_copies_keep_to_their_rectangle) {
  const CUdeviceptr source = memory(8 * 4);
  const CUdeviceptr target = memory(8 * 4);
  std::array<uint8_t, 32> bytes;
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(i);
  ASSERT_EQ(copy_to_device(source, bytes.data(), bytes.size()), CUDA_SUCCESS);
  CUDA_MEMCPY2D copy = {};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = source;
  copy.srcPitch = 8;
  copy.srcXInBytes = 1;
  copy.srcY = 1;
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = target;
  copy.dstPitch = 8;
  copy.WidthInBytes = 3;
  copy.Height = 2;
  ASSERT_EQ(copy_2d(&copy), CUDA_SUCCESS);
  std::array<uint8_t, 32> result;
  ASSERT_EQ(copy_to_host(result.data(), target, result.size()), CUDA_SUCCESS);
  EXPECT_EQ(result[0], 9);
  EXPECT_EQ(result[2], 11);
  EXPECT_EQ(result[3], 0);
  EXPECT_EQ(result[8], 17);
  copy.dstPitch = 2;
  EXPECT_EQ(copy_2d(&copy), kInvalidValue);
}

TEST_F(StreamTest, host_function_runs_in_stream_order_and_must_not_call_the_driver) {
  const CUstream queue = stream();
  CUresult inside = CUDA_SUCCESS;
  ASSERT_EQ(launch_host(
                queue, [](void* result) { *static_cast<CUresult*>(result) = init(0); }, &inside),
            CUDA_SUCCESS);
  ASSERT_EQ(synchronize(queue), CUDA_SUCCESS);
  EXPECT_EQ(inside, kNotPermitted);
}

TEST_F(StreamTest, delay_makes_a_copy_take_its_time) {
  const CUstream queue = stream();
  const CUdeviceptr pointer = memory(2000);
  control().set_delay(1000, 1);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(fill_async(pointer, 1, 2000, queue), CUDA_SUCCESS);
  ASSERT_EQ(synchronize(queue), CUDA_SUCCESS);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::microseconds(3000));
}

TEST_F(StreamTest, stream_ordered_free_takes_effect_in_stream_order) {
  const CUstream queue = stream();
  CUdeviceptr pointer = 0;
  ASSERT_EQ(allocate_async(&pointer, 64, queue), CUDA_SUCCESS);
  StreamGate gate(queue);
  ASSERT_EQ(fill_async(pointer, 1, 64, queue), CUDA_SUCCESS);
  ASSERT_EQ(free_async(pointer, queue), CUDA_SUCCESS);
  EXPECT_EQ(control().live_allocations(0), 1u);
  gate.open();
  ASSERT_EQ(synchronize(queue), CUDA_SUCCESS);
  EXPECT_EQ(control().live_allocations(0), 0u);
  EXPECT_EQ(control().hazards(), 0u);
  EXPECT_EQ(fill_async(pointer, 1, 64, queue), kIllegalAddress);
}

}  // namespace
}  // namespace nv12slot::standin
