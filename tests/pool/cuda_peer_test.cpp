// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One device reads another one's memory. Needs two of them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cuda_device_fixture.h"
#include "nv12slot/host_device.h"
#include "nv12slot/log.h"

namespace nv12slot {
namespace {

// Device 0, and device 1 as its peer with a picture of 64 x 64, all of whose bytes are kValue.
class CudaPeerTest : public CudaDeviceTest {
 protected:
  static constexpr std::uint32_t kSide = 64;
  static constexpr std::size_t kPitch = 512;
  static constexpr std::size_t kBytes = kPitch * kSide * 3 / 2;
  static constexpr std::uint8_t kValue = 0x5a;

  void SetUp() override {
    if (cuda_device_count() < 2) GTEST_SKIP() << "needs two devices";
    CudaDeviceTest::SetUp();
    open_peer();
  }
  void TearDown() override {
    close_peer();
    CudaDeviceTest::TearDown();
  }

  void open_peer() {
    peer_ = value(open_cuda_device(1));
    peer_stream_ = value(peer_->take_stream());
    picture_ = make_picture();
    if (standin_.present()) standin_.reset();
  }
  void close_peer() {
    if (peer_ == nullptr) return;
    for (const std::uintptr_t memory : pictures_) expect_ok(peer_->free(memory, peer_stream_));
    expect_ok(peer_->synchronize(peer_stream_));
    peer_->give_stream(peer_stream_);
    peer_.reset();
    pictures_.clear();
  }

  Nv12Planes make_picture() {
    const std::uintptr_t memory = value(peer_->allocate(kBytes, peer_stream_));
    pictures_.push_back(memory);
    std::vector<std::uint8_t> bytes(kBytes, kValue);
    expect_ok(peer_->copy_bytes(memory, 1, reinterpret_cast<std::uintptr_t>(bytes.data()),
                                kHostDomain, kBytes, peer_stream_));
    expect_ok(peer_->synchronize(peer_stream_));
    return {memory, memory + kPitch * kSide, kPitch, kPitch};
  }

  // Whether device 0 gets the picture right, as a picture (by kernel) and as bytes.
  bool reads(const Nv12Planes& picture) {
    const Slot slot = allocate(kSide, kPitch);
    Picture result(kSide, kSide, kSide, kSide);
    expect_ok(device_->copy(slot.planes, 0, picture, 1, kSide, kSide, stream_));
    download(result, slot.planes, kSide, kSide);
    std::vector<std::uint8_t> bytes(kBytes);
    expect_ok(device_->copy_bytes(slot.memory, 0, picture.y, 1, kBytes, stream_));
    expect_ok(device_->copy_bytes(reinterpret_cast<std::uintptr_t>(bytes.data()), kHostDomain,
                                  slot.memory, 0, kBytes, stream_));
    expect_ok(device_->synchronize(stream_));
    free(slot);
    return result.samples() == std::vector<std::uint8_t>(kSide * kSide * 3 / 2, kValue) &&
           bytes == std::vector<std::uint8_t>(kBytes, kValue);
  }

  Status copy_one_byte(Domain to, Domain from) {
    return device_->copy_bytes(picture_.y, to, picture_.y, from, 1, stream_);
  }

  std::unique_ptr<Device> peer_;
  StreamHandle peer_stream_ = nullptr;
  Nv12Planes picture_;
  std::vector<std::uintptr_t> pictures_;
};

#define NEEDS_READ_FROM()                                                        \
  if (const Status status = device_->read_from(*peer_); !status) {               \
    ASSERT_EQ(status.code(), Errc::kNoDevice) << status.error().message;         \
    GTEST_SKIP() << "device 0 cannot read device 1: " << status.error().message; \
  }

TEST_F(CudaPeerTest, what_the_peer_had_and_what_it_allocates_later_can_be_read) {
  NEEDS_READ_FROM();
  EXPECT_TRUE(reads(picture_));
  EXPECT_TRUE(reads(make_picture()));
}

TEST_F(CudaPeerTest, a_copy_from_a_device_is_refused_before_read_from_and_one_to_it_always) {
  EXPECT_EQ(refused(copy_one_byte(0, 1)), Errc::kInvalidArgument);
  EXPECT_EQ(refused(device_->copy(picture_, 0, picture_, 1, 2, 2, stream_)),
            Errc::kInvalidArgument);
  NEEDS_READ_FROM();
  EXPECT_EQ(refused(copy_one_byte(1, 0)), Errc::kInvalidArgument);
  EXPECT_EQ(refused(copy_one_byte(1, 1)), Errc::kInvalidArgument);
  EXPECT_EQ(refused(copy_one_byte(0, 2)), Errc::kInvalidArgument);
}

TEST_F(CudaPeerTest, the_driver_is_asked_once) {
  NEEDS_STANDIN();
  expect_ok(device_->read_from(*peer_));
  expect_ok(device_->read_from(*peer_));
  EXPECT_EQ(standin_.calls("cuDeviceCanAccessPeer"), 1u);
  EXPECT_EQ(standin_.calls("cuMemPoolSetAccess"), 1u);
}

TEST_F(CudaPeerTest, only_the_device_that_asked_may_read) {
  NEEDS_STANDIN();
  expect_ok(device_->read_from(*peer_));
  const Slot slot = allocate(kSide, kPitch);
  EXPECT_EQ(refused(peer_->copy_bytes(picture_.y, 1, slot.memory, 0, 1, peer_stream_)),
            Errc::kInvalidArgument);
  free(slot);
}

TEST_F(CudaPeerTest, devices_without_a_way_to_each_other_are_no_peers_and_that_is_known_then) {
  NEEDS_STANDIN();
  standin_.set_peer_access(0);
  for (int i = 0; i < 2; ++i) {
    const Status status = device_->read_from(*peer_);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.code(), Errc::kNoDevice);
    EXPECT_NE(status.error().message.find("device 0 has no peer access to device 1"),
              std::string::npos)
        << status.error().message;
  }
  EXPECT_EQ(standin_.calls("cuDeviceCanAccessPeer"), 1u);
  EXPECT_EQ(standin_.calls("cuMemPoolSetAccess"), 0u);
  EXPECT_EQ(refused(copy_one_byte(0, 1)), Errc::kInvalidArgument);
}

TEST_F(CudaPeerTest, what_failed_is_asked_again) {
  NEEDS_STANDIN();
  standin_.fail("cuMemPoolSetAccess", CUDA_ERROR_UNKNOWN, 0, 1);
  EXPECT_EQ(refused(device_->read_from(*peer_)), Errc::kDeviceFailed);
  EXPECT_EQ(refused(copy_one_byte(0, 1)), Errc::kInvalidArgument);
  expect_ok(device_->read_from(*peer_));
  EXPECT_TRUE(reads(picture_));
}

TEST_F(CudaPeerTest, a_device_reads_its_own_memory_and_none_of_the_hosts) {
  HostDevice host;
  expect_ok(device_->read_from(*device_));
  EXPECT_EQ(refused(device_->read_from(host)), Errc::kInvalidArgument);
  NEEDS_STANDIN();
  EXPECT_EQ(standin_.calls("cuDeviceCanAccessPeer"), 0u);
}

TEST_F(CudaPeerTest, memory_that_is_of_no_pool_is_opened_by_its_context) {
  NEEDS_STANDIN();
  close_peer();
  set_log_sink([](LogLevel, std::string_view) {});
  standin_.fail("cuMemPoolCreate", CUDA_ERROR_NOT_SUPPORTED, 0, 1);
  open_peer();
  set_log_sink(nullptr);
  expect_ok(device_->read_from(*peer_));
  EXPECT_EQ(standin_.calls("cuCtxEnablePeerAccess"), 1u);
  EXPECT_TRUE(reads(picture_));
}

TEST_F(CudaPeerTest, access_that_the_application_has_opened_already_is_as_good) {
  NEEDS_STANDIN();
  close_peer();
  set_log_sink([](LogLevel, std::string_view) {});
  standin_.fail("cuMemPoolCreate", CUDA_ERROR_NOT_SUPPORTED, 0, 1);
  open_peer();
  set_log_sink(nullptr);
  standin_.fail("cuCtxEnablePeerAccess", CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, 0, 1);
  expect_ok(device_->read_from(*peer_));
}

// What the stand-in takes for a hazard fails the test.
TEST_F(CudaPeerTest, a_fence_orders_the_read_after_a_write_that_is_under_way_on_the_peer) {
  NEEDS_STANDIN();
  expect_ok(device_->read_from(*peer_));
  const Slot slot = allocate(kSide, kPitch);
  const Nv12Planes source = make_picture();
  {
    const standin::StreamGate gate(peer_stream_);
    expect_ok(peer_->copy(picture_, 1, source, 1, kSide, kSide, peer_stream_));
    const Fence written = value(Fence::record(*peer_, peer_stream_));
    expect_ok(written.make_wait(stream_));
    expect_ok(device_->copy(slot.planes, 0, picture_, 1, kSide, kSide, stream_));
    EXPECT_FALSE(value(value(Fence::record(*device_, stream_)).is_complete()));
  }
  expect_ok(device_->synchronize(stream_));
  free(slot);
}

}  // namespace
}  // namespace nv12slot
