// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the stand-in driver takes for a hazard and what not. A gate keeps the first access pending,
// so that nothing depends on time.

#include <string>

#include "driver_symbols.h"

namespace nv12slot::standin {
namespace {

class HazardTest : public StandinTest {
 protected:
  void SetUp() override {
    StandinTest::SetUp();
    first_ = stream();
    second_ = stream();
    shared_ = memory(4096);
    scratch_ = memory(4096);
  }

  void read(CUstream on) {
    ASSERT_EQ(copy_on_device_async(scratch_, shared_, 2048, on), CUDA_SUCCESS);
  }
  void write(CUstream on) { ASSERT_EQ(fill_async(shared_ + 2047, 1, 64, on), CUDA_SUCCESS); }

  CUstream first_ = nullptr;
  CUstream second_ = nullptr;
  CUdeviceptr shared_ = 0;
  CUdeviceptr scratch_ = 0;
};

TEST_F(HazardTest, write_under_a_pending_reader) {
  StreamGate gate(first_);
  read(first_);
  write(second_);
  EXPECT_EQ(control().hazards(), 1u);
  const std::string text = control().last_hazard();
  EXPECT_NE(text.find("cuMemsetD8Async in stream"), std::string::npos) << text;
  EXPECT_NE(text.find("while pending cuMemcpyDtoDAsync in stream"), std::string::npos) << text;
  ASSERT_EQ(synchronize(second_), CUDA_SUCCESS);
}

TEST_F(HazardTest, read_of_a_pending_write) {
  StreamGate gate(first_);
  write(first_);
  read(second_);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(synchronize(second_), CUDA_SUCCESS);
}

TEST_F(HazardTest, two_readers_do_not_conflict) {
  StreamGate gate(first_);
  read(first_);
  const CUdeviceptr other = memory(4096);
  ASSERT_EQ(copy_on_device_async(other, shared_, 2048, second_), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(HazardTest, neighbouring_memory_does_not_conflict) {
  StreamGate gate(first_);
  read(first_);
  ASSERT_EQ(fill_async(shared_ + 2048, 1, 64, second_), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(HazardTest, rectangles_side_by_side_do_not_conflict) {
  CUDA_MEMCPY2D copy = {};
  copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.srcDevice = scratch_;
  copy.srcPitch = 64;
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = shared_;
  copy.dstPitch = 64;
  copy.WidthInBytes = 32;
  copy.Height = 8;
  StreamGate gate(first_);
  ASSERT_EQ(copy_2d_async(&copy, first_), CUDA_SUCCESS);
  copy.dstXInBytes = 32;
  ASSERT_EQ(copy_2d_async(&copy, second_), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 0u);
  copy.dstXInBytes = 31;
  ASSERT_EQ(copy_2d_async(&copy, second_), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(synchronize(second_), CUDA_SUCCESS);
}

TEST_F(HazardTest, order_by_stream) {
  StreamGate gate(first_);
  read(first_);
  write(first_);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(HazardTest, order_by_event) {
  const CUevent done = event();
  StreamGate gate(first_);
  read(first_);
  ASSERT_EQ(record_event(done, first_), CUDA_SUCCESS);
  ASSERT_EQ(wait_event(second_, done, 0), CUDA_SUCCESS);
  write(second_);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(HazardTest, event_recorded_too_early_orders_nothing) {
  const CUevent done = event();
  StreamGate gate(first_);
  ASSERT_EQ(record_event(done, first_), CUDA_SUCCESS);
  read(first_);
  ASSERT_EQ(wait_event(second_, done, 0), CUDA_SUCCESS);
  // Keeps this test's own hazard from becoming a data race.
  StreamGate later(second_);
  write(second_);
  EXPECT_EQ(control().hazards(), 1u);
  gate.open();
  ASSERT_EQ(synchronize(first_), CUDA_SUCCESS);
}

TEST_F(HazardTest, order_by_events_through_a_third_stream) {
  const CUstream between = stream();
  const CUevent read_done = event();
  const CUevent passed_on = event();
  StreamGate gate(first_);
  read(first_);
  ASSERT_EQ(record_event(read_done, first_), CUDA_SUCCESS);
  ASSERT_EQ(wait_event(between, read_done, 0), CUDA_SUCCESS);
  ASSERT_EQ(record_event(passed_on, between), CUDA_SUCCESS);
  ASSERT_EQ(wait_event(second_, passed_on, 0), CUDA_SUCCESS);
  write(second_);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(HazardTest, order_by_host) {
  read(first_);
  ASSERT_EQ(synchronize(first_), CUDA_SUCCESS);
  write(second_);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(HazardTest, legacy_stream_orders_blocking_streams) {
  const CUstream blocking = stream(0);
  const CUstream other_blocking = stream(0);
  StreamGate gate(blocking);
  read(blocking);
  write(nullptr);
  EXPECT_EQ(control().hazards(), 0u);
  write(other_blocking);
  EXPECT_EQ(control().hazards(), 0u);
}

TEST_F(HazardTest, legacy_stream_does_not_order_non_blocking_streams) {
  StreamGate gate(first_);
  read(first_);
  write(nullptr);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(synchronize(nullptr), CUDA_SUCCESS);
}

TEST_F(HazardTest, stream_ordered_free_under_a_pending_reader) {
  CUdeviceptr pointer = 0;
  ASSERT_EQ(allocate_async(&pointer, 64, first_), CUDA_SUCCESS);
  StreamGate gate(first_);
  ASSERT_EQ(copy_on_device_async(scratch_, pointer, 64, first_), CUDA_SUCCESS);
  ASSERT_EQ(free_async(pointer, second_), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(synchronize(second_), CUDA_SUCCESS);
  gate.open();
  EXPECT_EQ(synchronize(first_), kIllegalAddress);
}

TEST_F(HazardTest, page_locked_memory_is_watched_too) {
  void* host = nullptr;
  ASSERT_EQ(allocate_host(&host, 64), CUDA_SUCCESS);
  StreamGate gate(first_);
  ASSERT_EQ(copy_to_host_async(host, shared_, 64, first_), CUDA_SUCCESS);
  ASSERT_EQ(copy_to_device_async(scratch_, host, 64, second_), CUDA_SUCCESS);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(synchronize(second_), CUDA_SUCCESS);
  gate.open();
  ASSERT_EQ(synchronize(first_), CUDA_SUCCESS);
  ASSERT_EQ(free_host(host), CUDA_SUCCESS);
}

}  // namespace
}  // namespace nv12slot::standin
