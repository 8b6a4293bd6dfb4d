// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Safe reuse on a real GPU: a kernel reads a slot while the pool is asked for it. Where a test says
// that a reader sees nothing wrong, another shows that it would.
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "../pool/cuda_symbol.h"
#include "../pool/picture.h"
#include "have_gpu.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/frame_registry.h"
#include "nv12slot/host_device.h"
#include "nv12slot/slot_pool.h"
#include "reader_kernels.h"

namespace nv12slot::gpu {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kWidth = 1920;
constexpr std::uint32_t kHeight = 1080;
constexpr std::uint8_t kOld = 11;
constexpr std::uint8_t kNew = 22;

/// One slot, on the first GPU.
class ReuseTest : public testing::Test {
 protected:
  ReuseTest()
      : pool_(steady_clock(),
              [](Domain domain) -> Result<std::unique_ptr<Device>> {
                if (domain == kHostDomain) return std::unique_ptr<Device>(new HostDevice);
                return open_cuda_device(domain);
              },
              {.cap = 1}),
        device_(*pool_.device(0).value()),
        kernels_(device_),
        reader_(device_.take_stream().value()) {}
  ~ReuseTest() override { device_.give_stream(reader_); }

  [[nodiscard]] Lease take() {
    Result<Lease> lease = pool_.acquire({.domain = 0,
                                         .width = kWidth,
                                         .height = kHeight,
                                         .on_exhausted = OnExhausted::kBlock,
                                         .timeout = std::chrono::seconds(10)});
    EXPECT_TRUE(lease) << lease.error().message;
    return std::move(lease).value();
  }
  /// Puts one value everywhere, and waits for it.
  void fill(const Lease& lease, std::uint8_t value) {
    Picture picture(kWidth, kHeight, kWidth, kWidth, value);
    EXPECT_TRUE(device_.copy(lease.planes(), 0, picture.planes(), kHostDomain, kWidth, kHeight,
                             lease.stream()));
    EXPECT_TRUE(device_.synchronize(lease.stream()));
  }
  void read(const Nv12Planes& planes, std::uint8_t expected, milliseconds duration) {
    kernels_.watch(reader_, planes, kWidth, kHeight, expected, duration);
  }
  std::uint32_t seen() {
    EXPECT_TRUE(device_.synchronize(reader_));
    return kernels_.seen();
  }

  SlotPool pool_;
  Device& device_;
  ReaderKernels kernels_;
  const StreamHandle reader_;
};

TEST_F(ReuseTest, fenced_slot_is_not_written_while_a_kernel_reads_it) {
  {
    Lease lease = take();
    fill(lease, kOld);
    read(lease.planes(), kOld, milliseconds(200));
    lease.add_fence(Fence::record(device_, reader_).value());
    lease.set_needs_cooldown(false);
  }
  fill(take(), kNew);
  EXPECT_EQ(seen(), 0U);
}

TEST_F(ReuseTest, reader_sees_a_slot_that_was_reused_too_early) {
  {
    Lease lease = take();
    fill(lease, kOld);
    read(lease.planes(), kOld, milliseconds(200));
    lease.set_needs_cooldown(false);  // a lie: nobody waits for the reader
  }
  fill(take(), kNew);
  EXPECT_GT(seen(), 0U) << "the tests beside this one cannot fail";
}

TEST_F(ReuseTest, cooldown_covers_a_reader_that_leaves_no_fence) {
  {
    Lease lease = take();
    fill(lease, kOld);
    read(lease.planes(), kOld, milliseconds(20));
  }
  fill(take(), kNew);
  EXPECT_EQ(seen(), 0U);
}

class CopyUnderWayTest : public ReuseTest {
 protected:
  /// A frame full of old pixels; a copy of new ones is in its stream, 100 ms away.
  FrameRef copy_later() {
    Lease lease = take();
    fill(lease, kOld);
    Lease source = [this] {
      EXPECT_TRUE(pool_.set_cap(2));
      return take();
    }();
    fill(source, kNew);
    kernels_.spin(lease.stream(), 1, 32, milliseconds(100));
    EXPECT_TRUE(
        device_.copy(lease.planes(), 0, source.planes(), 0, kWidth, kHeight, lease.stream()));
    source.add_fence(Fence::record(device_, lease.stream()).value());
    auto ready = std::make_unique<Fence>(Fence::record(device_, lease.stream()).value());
    return registry_.attach(std::move(lease), source_.begin_frame().value(), kNoPts, {},
                            std::move(ready));
  }

  FrameRegistry registry_{steady_clock()};
  Source source_{steady_clock(), "camera"};
};

TEST_F(CopyUnderWayTest, reader_that_waits_sees_the_whole_picture) {
  const FrameRef frame = copy_later();
  EXPECT_TRUE(frame.wait(reader_));
  read(frame.planes(), kNew, milliseconds(1));
  EXPECT_TRUE(frame.fence(reader_));
  EXPECT_EQ(seen(), 0U);
}

TEST_F(CopyUnderWayTest, reader_that_does_not_wait_sees_the_old_one) {
  const FrameRef frame = copy_later();
  read(frame.planes(), kNew, milliseconds(1));
  EXPECT_GT(seen(), 0U) << "the test beside this one cannot fail";
}

// engine                                  camera
// ------                                  ------
// captures a CUDA graph, global mode
//                                         copies, fences, queries, allocates
// ends the capture: it is whole
TEST_F(ReuseTest, graph_captured_by_an_engine_and_the_pool_do_not_disturb_each_other) {
  CUcontext popped = nullptr;
  NV12SLOT_TEST_CUDA(cuCtxPushCurrent, static_cast<CUcontext>(device_.context()));
  const auto engine = static_cast<CUstream>(reader_);
  NV12SLOT_TEST_CUDA(cuStreamBeginCapture, engine, CU_STREAM_CAPTURE_MODE_GLOBAL);
  std::thread([this] {
    EXPECT_TRUE(pool_.set_cap(2));
    Lease kept = take();
    fill(kept, kOld);
    {
      Lease lease = take();
      fill(lease, kNew);
      lease.add_fence(Fence::record(device_, lease.stream()).value());
      lease.set_needs_cooldown(false);
    }
    const Lease again = take();  // asks the fence
  }).join();
  CUgraph graph = nullptr;
  NV12SLOT_TEST_CUDA(cuStreamEndCapture, engine, &graph);
  NV12SLOT_TEST_CUDA(cuGraphDestroy, graph);
  NV12SLOT_TEST_CUDA(cuCtxPopCurrent, &popped);
  EXPECT_EQ(pool_.stats(0).quarantined, 0U);
}

TEST_F(ReuseTest, device_that_is_full_falls_back_to_the_host_and_is_usable_afterwards) {
  ASSERT_TRUE(pool_.set_cap(SlotPool::kMaxCap));
  std::vector<Lease> all;
  const AcquireRequest large{
      .domain = 0, .width = kMaxSide, .height = kMaxSide, .on_exhausted = OnExhausted::kHost};
  for (;;) {
    Result<Lease> lease = pool_.acquire(large);
    ASSERT_TRUE(lease) << lease.error().message;
    if (lease->domain() == kHostDomain) break;
    all.push_back(std::move(lease).value());
    all.back().set_needs_cooldown(false);
  }
  EXPECT_EQ(pool_.stats(0).host_fallbacks, 1U);
  EXPECT_EQ(pool_.stats(0).out_of_memory, 1U);
  all.clear();
  Lease lease = take();
  fill(lease, kOld);
  read(lease.planes(), kOld, milliseconds(1));
  EXPECT_EQ(seen(), 0U);
}

TEST_F(ReuseTest, fence_may_come_from_another_gpu) {
  if (cuda_device_count() < 2) GTEST_SKIP() << "needs two GPUs";
  Device& other = *pool_.device(1).value();
  const StreamHandle stream = other.take_stream().value();
  ReaderKernels kernels(other);
  {
    Lease lease = take();
    kernels.spin(stream, 1, 32, milliseconds(100));
    lease.add_fence(Fence::record(other, stream).value());
    lease.set_needs_cooldown(false);
  }
  EXPECT_FALSE(pool_.acquire({.domain = 0, .width = kWidth, .height = kHeight}));
  EXPECT_TRUE(other.synchronize(stream));
  EXPECT_TRUE(pool_.acquire({.domain = 0, .width = kWidth, .height = kHeight}));
  other.give_stream(stream);
}

}  // namespace
}  // namespace nv12slot::gpu

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!nv12slot::gpu::have_gpu()) {
    std::puts("skipped: no GPU here");
    return 77;
  }
  return RUN_ALL_TESTS();
}
