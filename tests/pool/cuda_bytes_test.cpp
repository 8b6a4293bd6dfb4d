// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cuda_device_fixture.h"
#include "nv12slot/slot_pool.h"

namespace nv12slot {
namespace {

class CudaBytesTest : public CudaDeviceTest {
 protected:
  static std::uintptr_t address(std::vector<std::uint8_t>& bytes) {
    return reinterpret_cast<std::uintptr_t>(bytes.data());
  }
};

TEST_F(CudaBytesTest, bytes_go_up_across_and_down_and_their_neighbours_stay) {
  constexpr std::size_t kBytes = 10000;
  const std::uintptr_t first = value(device_->allocate(kBytes, stream_));
  const std::uintptr_t second = value(device_->allocate(kBytes, stream_));
  for (const std::size_t bytes : {1, 255, 4097, 9998}) {
    std::vector<std::uint8_t> source(kBytes);
    for (std::size_t i = 0; i < kBytes; ++i) source[i] = static_cast<std::uint8_t>(i % 251);
    std::vector<std::uint8_t> result(kBytes, 0xee);
    expect_ok(device_->copy_bytes(second, 0, address(result), kHostDomain, kBytes, stream_));
    expect_ok(device_->copy_bytes(first + 1, 0, address(source), kHostDomain, bytes, stream_));
    expect_ok(device_->copy_bytes(second + 1, 0, first + 1, 0, bytes, stream_));
    expect_ok(device_->copy_bytes(address(result), kHostDomain, second, 0, kBytes, stream_));
    expect_ok(device_->synchronize(stream_));
    std::vector<std::uint8_t> expected(kBytes, 0xee);
    std::copy_n(source.begin(), bytes, expected.begin() + 1);
    EXPECT_EQ(result, expected) << bytes;
  }
  expect_ok(device_->free(first, stream_));
  expect_ok(device_->free(second, stream_));
}

TEST_F(CudaBytesTest, no_bytes_are_no_copy) {
  expect_ok(device_->copy_bytes(0, 0, 0, 0, 0, stream_));
  NEEDS_STANDIN();
  EXPECT_EQ(standin_.calls("cuMemcpyAsync"), 0u);
}

TEST_F(CudaBytesTest, a_copy_on_the_device_is_not_waited_for) {
  NEEDS_STANDIN();
  const std::uintptr_t memory = value(device_->allocate(64, stream_));
  const standin::StreamGate gate(stream_);
  expect_ok(device_->copy_bytes(memory, 0, memory + 32, 0, 32, stream_));  // else hangs
  EXPECT_EQ(standin_.pending_operations(0), 2u);
  gate.open();
  expect_ok(device_->free(memory, stream_));
  expect_ok(device_->synchronize(stream_));
}

TEST_F(CudaBytesTest, a_copy_of_another_domain_is_refused) {
  EXPECT_EQ(refused(device_->copy_bytes(1, 0, 1, 1, 1, stream_)), Errc::kInvalidArgument);
  EXPECT_EQ(refused(device_->copy_bytes(1, 1, 1, 0, 1, stream_)), Errc::kInvalidArgument);
}

TEST_F(CudaBytesTest, a_copy_that_fails_tells_the_call) {
  NEEDS_STANDIN();
  standin_.fail("cuMemcpyAsync", CUDA_ERROR_INVALID_VALUE, 0, 1);
  const Status status = device_->copy_bytes(1, 0, 1, 0, 1, stream_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.code(), Errc::kDeviceFailed);
  EXPECT_NE(status.error().message.find("cuMemcpyAsync("), std::string::npos)
      << status.error().message;
}

TEST_F(CudaBytesTest, byte_slots_are_aligned) {
  SlotPool pool(
      steady_clock(), [](Domain domain) { return open_cuda_device(domain); }, PoolSettings{});
  std::vector<Lease> held;
  for (const std::size_t bytes : {1, 1000, 4917}) {
    Result<Lease> lease = pool.acquire({.domain = 0, .bytes = bytes});
    ASSERT_TRUE(lease) << lease.error().message;
    EXPECT_EQ(lease.value().planes().y % 256, 0u) << bytes;
    held.push_back(std::move(lease).value());
  }
}

}  // namespace
}  // namespace nv12slot
