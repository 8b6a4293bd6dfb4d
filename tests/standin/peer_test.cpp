// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory of one device that the other one uses: by a context's peer access, and by a pool's.

#include <string>

#include "driver_symbols.h"

namespace nv12slot::standin {
namespace {

// As in cuda.h.
struct Location {
  int type;
  int id;
};
struct Properties {
  int allocation_type = 1;
  int handle_types = 0;
  Location location;
  char rest[128] = {};
};
struct Access {
  Location location;
  int flags;
};
constexpr int kDevice = 1;
constexpr int kRead = 1;
constexpr int kReadWrite = 3;

// Device 0's context is current; memory is of a pool of device 1's.
class PeerTest : public StandinTest {
 protected:
  void SetUp() override {
    StandinTest::SetUp();
    ASSERT_EQ(retain_primary(&other_, 1), CUDA_SUCCESS);
    const Properties properties{.location = {kDevice, 1}};
    ASSERT_EQ(create_pool(&pool_, &properties), CUDA_SUCCESS);
    ASSERT_EQ(push_context(other_), CUDA_SUCCESS);
    other_stream_ = stream();
    ASSERT_EQ(allocate_from_pool(&memory_, 64, pool_, other_stream_), CUDA_SUCCESS);
    CUcontext popped = nullptr;
    ASSERT_EQ(pop_context(&popped), CUDA_SUCCESS);
    stream_ = stream();
    own_ = memory(64);
  }
  void TearDown() override {
    EXPECT_EQ(destroy_pool(pool_), CUDA_SUCCESS);
    EXPECT_EQ(release_primary(1), CUDA_SUCCESS);
    StandinTest::TearDown();
  }

  CUresult let_device_0(int flags) {
    const Access access{{kDevice, 0}, flags};
    return set_pool_access(pool_, &access, 1);
  }

  // A kernel of device 0's that reads or writes the first byte.
  CUresult touch(bool write) {
    static const size_t sizes[] = {sizeof(CUdeviceptr)};
    standin_kernel kernel = {};
    kernel.name = write ? "touch_write" : "touch_read";
    kernel.parameter_sizes = sizes;
    kernel.parameter_count = 1;
    kernel.run = [](const standin_launch*) {};
    kernel.ranges = write ? &ranges<1> : &ranges<0>;
    control().register_kernel(&kernel);
    CUmodule module = nullptr;
    CUfunction function = nullptr;
    EXPECT_EQ(load_module(&module, "image"), CUDA_SUCCESS);
    EXPECT_EQ(get_function(&function, module, kernel.name), CUDA_SUCCESS);
    void* parameters[] = {&memory_};
    CUresult result = launch(function, 1, 1, 1, 1, 1, 1, 0, stream_, parameters, nullptr);
    if (result == CUDA_SUCCESS) result = synchronize(stream_);
    control().stick(0, nullptr, 0);
    EXPECT_EQ(unload_module(module), CUDA_SUCCESS);
    return result;
  }
  template <int kWrite>
  static size_t ranges(const standin_launch* started, standin_range* out) {
    out[0] = {*static_cast<uintptr_t*>(started->parameters[0]), 1, 1, 1, kWrite};
    return 1;
  }

  CUcontext other_ = nullptr;
  CUstream other_stream_ = nullptr;
  CUstream stream_ = nullptr;
  void* pool_ = nullptr;
  CUdeviceptr memory_ = 0;
  CUdeviceptr own_ = 0;
};

TEST_F(PeerTest, memory_of_a_pool_is_where_the_pool_is) {
  CUdeviceptr memory = 0;
  ASSERT_EQ(allocate_from_pool(&memory, 64, pool_, stream_), CUDA_SUCCESS);
  int ordinal = -1;
  EXPECT_EQ(pointer_attribute(&ordinal, 9, memory), CUDA_SUCCESS);
  EXPECT_EQ(ordinal, 1);
  EXPECT_EQ(control().live_allocations(1), 2u);
}

TEST_F(PeerTest, pool_that_does_not_exist_gives_nothing) {
  CUdeviceptr memory = 0;
  const Access access{{kDevice, 0}, kReadWrite};
  EXPECT_EQ(allocate_from_pool(&memory, 64, nullptr, stream_), kInvalidValue);
  EXPECT_EQ(set_pool_access(nullptr, &access, 1), kInvalidValue);
  EXPECT_EQ(destroy_pool(stream_), kInvalidValue);
}

TEST_F(PeerTest, kernel_of_another_device_needs_the_pools_access) {
  EXPECT_EQ(touch(false), kIllegalAddress);
  EXPECT_EQ(control().hazards(), 1u);
  ASSERT_EQ(let_device_0(kReadWrite), CUDA_SUCCESS);
  EXPECT_EQ(touch(false), CUDA_SUCCESS);
  EXPECT_EQ(touch(true), CUDA_SUCCESS);
}

TEST_F(PeerTest, peer_access_of_the_contexts_does_not_open_a_pool) {
  ASSERT_EQ(enable_peer(other_, 0), CUDA_SUCCESS);
  EXPECT_EQ(touch(false), kIllegalAddress);
}

TEST_F(PeerTest, access_to_read_is_none_to_write) {
  ASSERT_EQ(let_device_0(kRead), CUDA_SUCCESS);
  EXPECT_EQ(touch(false), CUDA_SUCCESS);
  EXPECT_EQ(touch(true), kIllegalAddress);
}

TEST_F(PeerTest, access_holds_for_what_is_allocated_later_and_can_be_taken_away) {
  ASSERT_EQ(let_device_0(kReadWrite), CUDA_SUCCESS);
  ASSERT_EQ(allocate_from_pool(&memory_, 64, pool_, stream_), CUDA_SUCCESS);
  EXPECT_EQ(touch(true), CUDA_SUCCESS);
  ASSERT_EQ(let_device_0(0), CUDA_SUCCESS);
  EXPECT_EQ(touch(false), kIllegalAddress);
}

// As the driver has it, only a copy that names both contexts does without.
TEST_F(PeerTest, copy_between_devices_needs_the_pools_access_too) {
  EXPECT_EQ(copy_on_device_async(own_, memory_, 64, stream_), kInvalidValue);
  EXPECT_EQ(synchronize(stream_), CUDA_SUCCESS);  // nothing sticks
  EXPECT_EQ(copy_between_async(own_, context_, memory_, other_, 64, stream_), CUDA_SUCCESS);
  ASSERT_EQ(let_device_0(kReadWrite), CUDA_SUCCESS);
  EXPECT_EQ(copy_on_device_async(own_, memory_, 64, stream_), CUDA_SUCCESS);
  EXPECT_EQ(copy_on_device_async(memory_, own_, 64, stream_), CUDA_SUCCESS);
  EXPECT_EQ(synchronize(stream_), CUDA_SUCCESS);
}

TEST_F(PeerTest, devices_without_a_way_to_each_other_get_no_access) {
  control().set_peer_access(0);
  int can = 1;
  ASSERT_EQ(can_access_peer(&can, 0, 1), CUDA_SUCCESS);
  EXPECT_EQ(can, 0);
  EXPECT_EQ(let_device_0(kReadWrite), kInvalidDevice);
  EXPECT_EQ(enable_peer(other_, 0), kPeerAccessUnsupported);
  control().set_peer_access(1);
  ASSERT_EQ(can_access_peer(&can, 0, 1), CUDA_SUCCESS);
  EXPECT_EQ(can, 1);
  EXPECT_EQ(let_device_0(kReadWrite), CUDA_SUCCESS);
}

TEST_F(PeerTest, access_is_asked_for_by_device_and_that_of_its_own_stays) {
  const auto flags = [](void* pool, int device) {
    int found = -1;
    const Location location{kDevice, device};
    EXPECT_EQ(get_pool_access(&found, pool, &location), CUDA_SUCCESS);
    return found;
  };
  EXPECT_EQ(flags(pool_, 0), 0);
  EXPECT_EQ(flags(pool_, 1), kReadWrite);
  const Access none{{kDevice, 1}, 0};
  EXPECT_EQ(set_pool_access(pool_, &none, 1), kInvalidValue);
  const Access nowhere{{kDevice, 2}, kReadWrite};
  EXPECT_EQ(set_pool_access(pool_, &nowhere, 1), kInvalidDevice);
  void* of_device_0 = nullptr;
  ASSERT_EQ(default_pool(&of_device_0, 0), CUDA_SUCCESS);
  EXPECT_EQ(flags(of_device_0, 0), kReadWrite);
  EXPECT_EQ(flags(of_device_0, 1), 0);
  void* of_device_1 = nullptr;
  ASSERT_EQ(default_pool(&of_device_1, 1), CUDA_SUCCESS);
  EXPECT_EQ(flags(of_device_1, 0), 0);
  EXPECT_EQ(flags(of_device_1, 1), kReadWrite);
}

// Whose context is current makes no difference.
TEST_F(PeerTest, stream_waits_for_an_event_of_another_device) {
  const CUevent done = event();
  StreamGate gate(stream_);
  ASSERT_EQ(record_event(done, stream_), CUDA_SUCCESS);
  ASSERT_EQ(wait_event(other_stream_, done, 0), CUDA_SUCCESS);
  EXPECT_EQ(query_stream(other_stream_), kNotReady);
  gate.open();
  EXPECT_EQ(synchronize(other_stream_), CUDA_SUCCESS);
}

}  // namespace
}  // namespace nv12slot::standin
