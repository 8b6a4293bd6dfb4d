// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Slots of plain bytes: what they have of their own. All else is as for pictures
// (slot_pool_test.cpp).
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "fake_clock.h"
#include "fake_device.h"
#include "nv12slot/log.h"
#include "nv12slot/slot_pool.h"

namespace nv12slot {
namespace {

using std::chrono::milliseconds;

class ByteSlotTest : public testing::Test {
 protected:
  ByteSlotTest() {
    set_log_sink([](LogLevel, std::string_view) {});
  }
  ~ByteSlotTest() override { set_log_sink(nullptr); }

  FakeDevice& gpu() {
    EXPECT_TRUE(pool_.device(0));
    return *gpu_;
  }

  static AcquireRequest bytes(std::size_t size) { return {.domain = 0, .bytes = size}; }
  static AcquireRequest picture(std::uint32_t side = 64) {
    return {.domain = 0, .width = side, .height = side};
  }
  Lease take(const AcquireRequest& request) {
    Result<Lease> lease = pool_.acquire(request);
    EXPECT_TRUE(lease) << (lease ? "" : lease.error().message);
    return std::move(lease).value();
  }
  void use(const AcquireRequest& request) {
    Lease lease = take(request);
    lease.set_needs_cooldown(false);
  }

  FakeClock clock_;
  FakeDevice* gpu_ = nullptr;
  SlotPool pool_{clock_,
                 [this](Domain domain) -> Result<std::unique_ptr<Device>> {
                   auto device = std::make_unique<FakeDevice>(domain);
                   if (domain == 0) gpu_ = device.get();
                   return std::unique_ptr<Device>(std::move(device));
                 },
                 PoolSettings{}};
};

TEST_F(ByteSlotTest, lease_has_the_bytes_at_y_and_no_picture) {
  const Lease lease = take(bytes(1000));
  EXPECT_GE(lease.capacity(), 1000u);
  EXPECT_EQ(lease.layout(), Nv12Layout{});
  EXPECT_NE(lease.planes().y, 0u);
  EXPECT_EQ(lease.planes().y % 256, 0u);
  EXPECT_EQ(lease.planes().uv, 0u);
  EXPECT_EQ(lease.planes().y_pitch, 0u);
  EXPECT_EQ(lease.planes().uv_pitch, 0u);
}

TEST_F(ByteSlotTest, a_picture_of_the_same_size_is_not_taken_for_bytes_nor_bytes_for_it) {
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  std::size_t size = 0;
  std::uintptr_t of_picture = 0;
  std::uintptr_t of_bytes = 0;
  {
    const Lease lease = take(picture());
    size = lease.capacity();
    of_picture = lease.planes().y;
  }
  {
    const Lease lease = take(bytes(size));
    of_bytes = lease.planes().y;
    EXPECT_NE(of_bytes, of_picture);
  }
  EXPECT_EQ(take(picture()).planes().y, of_picture);
  EXPECT_EQ(take(bytes(size)).planes().y, of_bytes);
}

TEST_F(ByteSlotTest, a_larger_slot_is_taken_before_a_new_one_is_made) {
  use(bytes(4096));
  use(bytes(100));
  EXPECT_EQ(gpu().count("allocate"), 1u);
}

TEST_F(ByteSlotTest, the_cap_counts_for_each_kind_by_itself) {
  ASSERT_TRUE(pool_.set_cap(2));
  const Lease held[] = {take(bytes(64)), take(picture()), take(bytes(64)), take(picture())};
  const Result<Lease> third = pool_.acquire(bytes(64));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.code(), Errc::kExhausted);
  EXPECT_NE(third.error().message.find("2 byte slots"), std::string::npos) << third.error().message;
  EXPECT_EQ(pool_.acquire(picture()).code(), Errc::kExhausted);
}

TEST_F(ByteSlotTest, at_the_cap_an_idle_one_gives_way_to_a_larger_one_and_no_picture_does) {
  ASSERT_TRUE(pool_.set_cap(1));
  use(picture(32));
  use(bytes(64));
  use(bytes(1 << 20));
  EXPECT_EQ(pool_.stats(0).byte_slots, 1u);
  EXPECT_EQ(pool_.stats(0).slots, 1u);
  EXPECT_EQ(pool_.stats(0).retired, 1u);
}

TEST_F(ByteSlotTest, idle_pictures_keep_their_memory_when_there_is_none_for_bytes) {
  use(picture(32));
  gpu().fail("allocate", Errc::kOutOfMemory, 1);
  EXPECT_EQ(pool_.acquire(bytes(1 << 20)).code(), Errc::kOutOfMemory);
  EXPECT_EQ(pool_.stats(0).slots, 1u);
  EXPECT_EQ(pool_.stats(0).byte_slots, 0u);
  EXPECT_EQ(gpu().count("free"), 0u);
}

TEST_F(ByteSlotTest, a_lower_cap_retires_idle_ones_of_both_kinds) {
  { const Lease held[] = {take(bytes(64)), take(bytes(64)), take(picture()), take(picture())}; }
  clock_.advance(milliseconds(50));
  ASSERT_EQ(pool_.stats(0).byte_slots, 2u);
  ASSERT_TRUE(pool_.set_cap(1));
  EXPECT_EQ(pool_.stats(0).byte_slots, 1u);
  EXPECT_EQ(pool_.stats(0).slots, 1u);
}

TEST_F(ByteSlotTest, what_is_released_above_a_lower_cap_is_retired) {
  ASSERT_TRUE(pool_.set_cooldown(Duration(0)));
  Lease first = take(bytes(64));
  Lease second = take(bytes(64));
  ASSERT_TRUE(pool_.set_cap(1));
  first.release();
  second.release();
  EXPECT_EQ(pool_.stats(0).byte_slots, 1u);
}

TEST_F(ByteSlotTest, a_slot_is_not_handed_out_before_its_fence_and_the_cooldown) {
  gpu().set_auto_complete(false);
  ASSERT_TRUE(pool_.set_cap(1));
  Lease lease = take(bytes(64));
  lease.add_fence(std::move(Fence::record(gpu(), lease.stream())).value());
  lease.release();
  clock_.advance(milliseconds(50));
  EXPECT_EQ(pool_.acquire(bytes(64)).code(), Errc::kExhausted);
  gpu().complete_all();
  take(bytes(64)).release();
  clock_.advance(milliseconds(49));
  EXPECT_EQ(pool_.acquire(bytes(64)).code(), Errc::kExhausted);
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(pool_.acquire(bytes(64)));
}

TEST_F(ByteSlotTest, blocked_acquire_gets_the_slot_once_it_has_cooled) {
  ASSERT_TRUE(pool_.set_cap(1));
  take(bytes(64)).release();
  std::atomic<bool> done{false};
  std::thread preprocessing([&] {
    AcquireRequest request = bytes(64);
    request.on_exhausted = OnExhausted::kBlock;
    request.timeout = std::chrono::seconds(1);
    const Result<Lease> lease = pool_.acquire(request);
    EXPECT_TRUE(lease) << lease.error().message;
    done = true;
  });
  clock_.wait_for_waiter();
  clock_.advance(milliseconds(50));
  for (int i = 0; i < 5000 && !done; ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(done) << "waits for something else";
  clock_.advance(std::chrono::seconds(1));
  preprocessing.join();
}

TEST_F(ByteSlotTest, the_quota_counts_both_kinds) {
  auto quota = std::make_shared<Quota>(2);
  AcquireRequest of_bytes = bytes(64);
  AcquireRequest of_picture = picture();
  of_bytes.quota = of_picture.quota = quota;
  const Lease held[] = {take(of_picture), take(of_bytes)};
  EXPECT_EQ(pool_.acquire(of_bytes).code(), Errc::kQuotaExceeded);
  EXPECT_EQ(pool_.acquire(of_picture).code(), Errc::kQuotaExceeded);
}

TEST_F(ByteSlotTest, host_policy_gives_bytes_of_the_host) {
  gpu().fail("allocate", Errc::kOutOfMemory, -1);
  AcquireRequest request = bytes(1000);
  request.on_exhausted = OnExhausted::kHost;
  const Lease lease = take(request);
  EXPECT_EQ(lease.domain(), kHostDomain);
  EXPECT_GE(lease.capacity(), 1000u);
  EXPECT_EQ(lease.layout(), Nv12Layout{});
}

TEST_F(ByteSlotTest, statistics_tell_them_from_pictures) {
  const Lease held = take(bytes(1000));
  take(bytes(64)).release();  // cools
  const Lease frame = take(picture());
  const PoolStats stats = pool_.stats(0);
  EXPECT_EQ(stats.byte_slots, 2u);
  EXPECT_EQ(stats.byte_active, 1u);
  EXPECT_EQ(stats.slots, 1u);
  EXPECT_EQ(stats.active, 1u);
  EXPECT_EQ(stats.cooling, 0u);
  EXPECT_EQ(stats.bytes, 1000u + 64u + frame.capacity());
  EXPECT_EQ(stats.acquired, 3u);
  EXPECT_EQ(stats.allocated, 3u);
}

TEST_F(ByteSlotTest, a_request_for_both_or_for_too_much_is_refused_with_what_is_legal) {
  AcquireRequest reserve = bytes(64);
  reserve.reserve = true;
  AcquireRequest wide = bytes(64);
  wide.width = 64;
  AcquireRequest high = bytes(64);
  high.height = 64;
  for (const AcquireRequest& request : {reserve, wide, high}) {
    EXPECT_EQ(pool_.acquire(request).code(), Errc::kInvalidArgument);
  }
  const Result<Lease> large = pool_.acquire(bytes(kMaxSlotBytes + 1));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.code(), Errc::kInvalidArgument);
  EXPECT_NE(large.error().message.find("1 to 1073741824"), std::string::npos)
      << large.error().message;
  // The largest there is gets as far as the device.
  gpu().fail("allocate", Errc::kOutOfMemory, 1);
  EXPECT_EQ(pool_.acquire(bytes(kMaxSlotBytes)).code(), Errc::kOutOfMemory);
}

}  // namespace
}  // namespace nv12slot
