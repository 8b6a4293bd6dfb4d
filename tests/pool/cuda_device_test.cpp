// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs against a real driver as well as the stand-in; what needs the stand-in skips without it.
#include "nv12slot/cuda_device.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "cuda_device_fixture.h"
#include "nv12slot/log.h"

namespace nv12slot {
namespace {

TEST_F(CudaDeviceTest, an_ordinal_that_does_not_exist_is_refused_with_the_number_there_are) {
  const int count = cuda_device_count();
  for (const int ordinal : {-1, count, 1000}) {
    const Result<std::unique_ptr<Device>> device = open_cuda_device(ordinal);
    ASSERT_FALSE(device);
    EXPECT_EQ(device.code(), Errc::kNoDevice);
    EXPECT_NE(device.error().message.find("this machine has " + std::to_string(count)),
              std::string::npos)
        << device.error().message;
  }
}

TEST_F(CudaDeviceTest, everything_lives_in_the_primary_context) {
  CUcontext primary = nullptr;
  NV12SLOT_TEST_CUDA(cuDevicePrimaryCtxRetain, &primary, 0);
  EXPECT_EQ(device_->context(), primary);
  NV12SLOT_TEST_CUDA(cuDevicePrimaryCtxRelease, 0);
  EXPECT_EQ(device_->domain(), 0);
}

TEST_F(CudaDeviceTest, flags_of_the_primary_context_are_left_as_they_are) {
  NEEDS_STANDIN();  // a real driver's flags may be in use by others
  device_->give_stream(stream_);
  device_.reset();
  NV12SLOT_TEST_CUDA(cuDevicePrimaryCtxSetFlags, 0, CU_CTX_SCHED_BLOCKING_SYNC);
  open();
  unsigned flags = 0;
  int active = 0;
  NV12SLOT_TEST_CUDA(cuDevicePrimaryCtxGetState, 0, &flags, &active);
  EXPECT_EQ(flags, static_cast<unsigned>(CU_CTX_SCHED_BLOCKING_SYNC));
  NV12SLOT_TEST_CUDA(cuDevicePrimaryCtxSetFlags, 0, 0);
}

TEST_F(CudaDeviceTest, every_call_leaves_the_callers_context_as_it_was) {
  const auto call_everything = [this] {
    const Slot slot = allocate(2, 512);
    Picture picture(2, 2, 2, 2);
    upload(slot.planes, picture, 2, 2);
    Result<Fence> fence = Fence::record(*device_, stream_);
    ASSERT_TRUE(fence);
    EXPECT_TRUE(fence.value().is_complete());
    expect_ok(fence.value().make_wait(stream_));
    std::uint16_t bytes = 0;
    expect_ok(device_->copy_bytes(slot.memory, 0, reinterpret_cast<std::uintptr_t>(&bytes),
                                  kHostDomain, sizeof(bytes), stream_));
    EXPECT_FALSE(device_->load_kernel("no image", "no kernel"));
    EXPECT_FALSE(device_->launch(nullptr, {}, nullptr, stream_));
    const StreamHandle another = value(device_->take_stream());
    device_->give_stream(another);
    free(slot);
  };
  std::thread([&] {
    call_everything();
    CUcontext current = nullptr;
    NV12SLOT_TEST_CUDA(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, nullptr);

    CUcontext own = nullptr;
    EXPECT_EQ(
        (cuda_symbol<CUresult (*)(CUcontext*, unsigned, CUdevice)>("cuCtxCreate_v2")(&own, 0, 0)),
        CUDA_SUCCESS);
    call_everything();
    NV12SLOT_TEST_CUDA(cuCtxGetCurrent, &current);
    EXPECT_EQ(current, own);
    NV12SLOT_TEST_CUDA(cuCtxDestroy, own);
  }).join();
}

TEST_F(CudaDeviceTest, rows_and_memory_are_aligned_for_textures) {
  EXPECT_EQ(device_->row_alignment(), 512u);
  for (const std::size_t bytes : {512, 1536, 512 * 3 * 7, 2048 * 1620}) {
    const std::uintptr_t memory = value(device_->allocate(bytes, stream_));
    EXPECT_EQ(memory % device_->row_alignment(), 0u);
    expect_ok(device_->free(memory, stream_));
  }
}

TEST_F(CudaDeviceTest, the_pitch_of_a_layout_is_the_one_that_cuMemAllocPitch_gives) {
  // Every width on the GPU suite's machine; here a few, each with what is left and right of a step.
  NV12SLOT_TEST_CUDA(cuCtxPushCurrent, static_cast<CUcontext>(device_->context()));
  const unsigned step = standin_.present() ? 510 : 2;
  for (unsigned width = 2; width <= 8192; width += step) {
    CUdeviceptr memory = 0;
    std::size_t pitch = 0;
    NV12SLOT_TEST_CUDA(cuMemAllocPitch, &memory, &pitch, width, 96, 16);
    NV12SLOT_TEST_CUDA(cuMemFree, memory);
    const Result<Nv12Layout> layout = nv12_layout(width, 64, device_->row_alignment());
    ASSERT_TRUE(layout);
    ASSERT_EQ(layout.value().pitch, pitch) << width;
  }
  CUcontext popped = nullptr;
  NV12SLOT_TEST_CUDA(cuCtxPopCurrent, &popped);
}

struct CopyCase {
  std::uint32_t width, height;
  std::size_t from_pitch, to_pitch;
  std::size_t offset;  // of the first byte from an aligned address
  bool by_kernel;
};

class CopyTest : public CudaDeviceTest, public testing::WithParamInterface<CopyCase> {};

// Host to device to device to host; the samples must come back and nothing else must be written.
TEST_P(CopyTest, takes_the_samples_and_leaves_the_padding) {
  const CopyCase& c = GetParam();
  const Slot from = allocate(c.height, c.from_pitch, c.offset);
  const Slot to = allocate(c.height, c.to_pitch, c.offset);
  Picture source(c.width, c.height, c.width + 3, c.width + 5);
  source.draw(c.width);
  const auto to_row = static_cast<std::uint32_t>(c.to_pitch);
  Picture background(to_row, c.height, c.to_pitch, c.to_pitch, 0xee);
  upload(to.planes, background, to_row, c.height);
  upload(from.planes, source, c.width, c.height);

  const bool counted = standin_.present();
  const std::uint64_t launches = counted ? standin_.calls("cuLaunchKernel") : 0;
  expect_ok(device_->copy(to.planes, 0, from.planes, 0, c.width, c.height, stream_));
  if (counted) {
    EXPECT_EQ(standin_.calls("cuLaunchKernel") - launches, c.by_kernel ? 1u : 0u);
  }

  Picture result(c.width, c.height, c.width, c.width);
  download(result, to.planes, c.width, c.height);
  EXPECT_EQ(result.samples(), source.samples());
  Picture whole(to_row, c.height, c.to_pitch, c.to_pitch);
  download(whole, to.planes, to_row, c.height);
  const std::vector<std::uint8_t> bytes = whole.samples();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % c.to_pitch >= c.width) {
      ASSERT_EQ(bytes[i], 0xee) << "padding of row " << i / c.to_pitch << " was written";
    }
  }
  free(from);
  free(to);
}

INSTANTIATE_TEST_SUITE_P(
    Pictures, CopyTest,
    testing::Values(CopyCase{1920, 1080, 2048, 2048, 0, true},  // as it is day to day
                    CopyCase{1920, 1080, 1920, 2048, 0, true},
                    CopyCase{1918, 2, 2048, 2048, 0, true},  // vectors and a tail of 14 bytes
                    CopyCase{1026, 6, 1536, 1040, 0, true},  // more vectors than threads, tail 2
                    CopyCase{2, 2, 512, 512, 0, true},       // a tail only
                    CopyCase{14, 10, 16, 512, 16, true},
                    CopyCase{854, 480, 854, 1024, 0, false},   // a pitch that is not aligned
                    CopyCase{640, 360, 1024, 1024, 2, false},  // addresses that are not aligned
                    CopyCase{3840, 2160, 4096, 4096, 0, true}));

struct P010Case {
  std::uint32_t width, height;
  std::size_t from_pitch, to_pitch;
  std::size_t from_offset, to_offset;  // of the first byte from an aligned address
};

class P010Test : public CudaDeviceTest, public testing::WithParamInterface<P010Case> {};

TEST_P(P010Test, rounds_every_sample_to_the_nearest_and_leaves_the_padding) {
  const P010Case& c = GetParam();
  const Slot from = allocate(c.height, c.from_pitch, c.from_offset);
  const Slot to = allocate(c.height, c.to_pitch, c.to_offset);
  P010Picture source(c.width, c.height);
  upload(from.planes, source.bytes, 2 * c.width, c.height);
  const auto to_row = static_cast<std::uint32_t>(c.to_pitch);
  Picture background(to_row, c.height, c.to_pitch, c.to_pitch, 0xee);
  upload(to.planes, background, to_row, c.height);

  expect_ok(device_->convert_p010(to.planes, from.planes, c.width, c.height, stream_));

  Picture result(c.width, c.height, c.width, c.width);
  download(result, to.planes, c.width, c.height);
  EXPECT_EQ(result.samples(), source.expected);
  Picture whole(to_row, c.height, c.to_pitch, c.to_pitch);
  download(whole, to.planes, to_row, c.height);
  const std::vector<std::uint8_t> bytes = whole.samples();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % c.to_pitch >= c.width) {
      ASSERT_EQ(bytes[i], 0xee) << "padding of row " << i / c.to_pitch << " was written";
    }
  }
  free(from);
  free(to);
}

INSTANTIATE_TEST_SUITE_P(
    Pictures, P010Test,
    testing::Values(P010Case{1920, 1080, 4096, 2048, 0, 0},  // as it is day to day
                    P010Case{1920, 1080, 3840, 1920, 0, 0},  // aligned to 16 bytes
                    P010Case{1918, 2, 4096, 2048, 0, 0},     // vectors and a tail of 14
                    P010Case{1026, 6, 2560, 1040, 0, 0},     // more vectors than threads, tail 2
                    P010Case{2, 2, 512, 512, 0, 0},          // a tail only
                    P010Case{14, 10, 32, 512, 16, 16},
                    P010Case{854, 480, 1708, 1024, 0, 0},  // pitches that are not aligned
                    P010Case{854, 480, 2048, 854, 0, 0},
                    P010Case{640, 360, 1536, 1024, 2, 0},  // addresses that are not aligned
                    P010Case{640, 360, 1536, 1024, 0, 1}));

TEST_F(CudaDeviceTest, one_kernel_converts_both_planes) {
  NEEDS_STANDIN();
  const Slot from = allocate(64, 1024);
  const Slot to = allocate(64, 512);
  const std::uint64_t launches = standin_.calls("cuLaunchKernel");
  expect_ok(device_->convert_p010(to.planes, from.planes, 512, 64, stream_));
  expect_ok(device_->synchronize(stream_));
  EXPECT_EQ(standin_.calls("cuLaunchKernel"), launches + 1);
  free(from);
  free(to);
}

TEST_F(CudaDeviceTest, a_copy_of_another_domain_is_refused) {
  EXPECT_EQ(refused(device_->copy({}, 0, {}, 1, 2, 2, stream_)), Errc::kInvalidArgument);
  EXPECT_EQ(refused(device_->copy({}, 1, {}, kHostDomain, 2, 2, stream_)), Errc::kInvalidArgument);
}

TEST_F(CudaDeviceTest, streams_do_not_block_and_have_the_highest_priority) {
  NV12SLOT_TEST_CUDA(cuCtxPushCurrent, static_cast<CUcontext>(device_->context()));
  unsigned flags = 0;
  int priority = 0, lowest = 0, highest = 0;
  NV12SLOT_TEST_CUDA(cuStreamGetFlags, static_cast<CUstream>(stream_), &flags);
  NV12SLOT_TEST_CUDA(cuStreamGetPriority, static_cast<CUstream>(stream_), &priority);
  NV12SLOT_TEST_CUDA(cuCtxGetStreamPriorityRange, &lowest, &highest);
  EXPECT_EQ(flags, static_cast<unsigned>(CU_STREAM_NON_BLOCKING));
  EXPECT_EQ(priority, highest);
  EXPECT_LT(highest, lowest);
  CUcontext popped = nullptr;
  NV12SLOT_TEST_CUDA(cuCtxPopCurrent, &popped);
}

TEST_F(CudaDeviceTest, streams_and_events_are_used_again) {
  const StreamHandle stream = value(device_->take_stream());
  EXPECT_NE(stream, stream_);
  device_->give_stream(stream);
  EXPECT_EQ(value(device_->take_stream()), stream);
  device_->give_stream(stream);
  const EventHandle event = value(device_->take_event());
  device_->give_event(event);
  EXPECT_EQ(value(device_->take_event()), event);
  device_->give_event(event);
}

TEST_F(CudaDeviceTest, a_fence_follows_its_stream) {
  NEEDS_STANDIN();
  const standin::StreamGate gate(stream_);
  const Fence fence = value(Fence::record(*device_, stream_));
  EXPECT_FALSE(value(fence.is_complete()));
  gate.open();
  expect_ok(device_->synchronize(stream_));
  EXPECT_TRUE(value(fence.is_complete()));
}

TEST_F(CudaDeviceTest, a_wait_orders_one_stream_after_another_without_blocking) {
  NEEDS_STANDIN();
  const StreamHandle reader = value(device_->take_stream());
  const standin::StreamGate gate(stream_);
  const Fence written = value(Fence::record(*device_, stream_));
  expect_ok(written.make_wait(reader));
  const Fence read = value(Fence::record(*device_, reader));
  EXPECT_FALSE(value(read.is_complete()));
  gate.open();
  expect_ok(device_->synchronize(reader));
  EXPECT_TRUE(value(written.is_complete()));
  EXPECT_TRUE(value(read.is_complete()));
  device_->give_stream(reader);
}

// What the stand-in takes for a hazard fails the test.
TEST_F(CudaDeviceTest, a_reader_that_waits_is_ordered_after_a_write_that_is_under_way) {
  NEEDS_STANDIN();
  const StreamHandle reader = value(device_->take_stream());
  const Slot from = allocate(64, 512);
  const Slot slot = allocate(64, 512);
  const Slot to = allocate(64, 512);
  {
    const standin::StreamGate gate(stream_);
    expect_ok(device_->copy(slot.planes, 0, from.planes, 0, 512, 64, stream_));
    const Fence written = value(Fence::record(*device_, stream_));
    expect_ok(written.make_wait(reader));
    expect_ok(device_->copy(to.planes, 0, slot.planes, 0, 512, 64, reader));
  }
  expect_ok(device_->synchronize(reader));
  for (const Slot& used : {from, slot, to}) free(used);
  device_->give_stream(reader);
}

TEST_F(CudaDeviceTest, synchronize_waits_for_its_stream_only) {
  NEEDS_STANDIN();
  const StreamHandle other = value(device_->take_stream());
  const standin::StreamGate gate(other);
  expect_ok(device_->synchronize(stream_));  // else hangs
  gate.open();
  expect_ok(device_->synchronize(other));
  device_->give_stream(other);
}

TEST_F(CudaDeviceTest, memory_is_freed_behind_the_streams_work_without_waiting_for_it) {
  NEEDS_STANDIN();
  const std::uint64_t before = standin_.live_allocations(0);
  const Slot slot = allocate(64, 512);
  const standin::StreamGate gate(stream_);
  free(slot);  // else hangs
  EXPECT_EQ(standin_.live_allocations(0), before + 1);
  gate.open();
  expect_ok(device_->synchronize(stream_));
  EXPECT_EQ(standin_.live_allocations(0), before);
  EXPECT_EQ(standin_.calls("cuMemFree"), 0u);
  EXPECT_EQ(standin_.calls("cuCtxSynchronize"), 0u);
}

TEST_F(CudaDeviceTest, memory_is_usable_in_every_stream_when_it_is_handed_out) {
  NEEDS_STANDIN();
  const standin::StreamGate gate(stream_);
  std::thread opener([&] {
    gate.wait_until_reached();
    gate.open();
  });
  const Slot slot = allocate(64, 512);
  EXPECT_EQ(standin_.pending_operations(0), 0u);
  opener.join();
  free(slot);
}

TEST_F(CudaDeviceTest, out_of_memory_has_its_own_code_and_the_device_works_on) {
  const Result<std::uintptr_t> memory = device_->allocate(std::size_t{1} << 50, stream_);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.code(), Errc::kOutOfMemory);
  free(allocate(64, 512));
}

TEST_F(CudaDeviceTest, a_graph_that_another_thread_captures_is_left_alone) {
  NEEDS_STANDIN();
  standin_.set_capturing(1);
  Picture picture(2, 2, 2, 2);
  const Slot slot = allocate(2, 512);
  upload(slot.planes, picture, 2, 2);
  Result<Fence> fence = Fence::record(*device_, stream_);
  ASSERT_TRUE(fence);
  const Result<bool> complete = fence.value().is_complete();
  EXPECT_TRUE(complete) << complete.error().message;
  free(slot);
  EXPECT_EQ(standin_.spoiled_captures(), 0u);

  // The thread is as it was afterwards: its own calls still are what they would be.
  CUcontext popped = nullptr;
  NV12SLOT_TEST_CUDA(cuCtxPushCurrent, static_cast<CUcontext>(device_->context()));
  const auto synchronize = cuda_symbol<CUresult (*)(CUstream)>("cuStreamSynchronize");
  EXPECT_NE(synchronize(static_cast<CUstream>(stream_)), CUDA_SUCCESS);
  NV12SLOT_TEST_CUDA(cuCtxPopCurrent, &popped);
  EXPECT_EQ(standin_.spoiled_captures(), 1u);
}

TEST_F(CudaDeviceTest, thread_whose_capture_mode_cannot_be_relaxed_keeps_it) {
  NEEDS_STANDIN();
  set_log_sink([](LogLevel, std::string_view) {});
  standin_.fail("cuThreadExchangeStreamCaptureMode", CUDA_ERROR_UNKNOWN, 0, 1);
  expect_ok(device_->synchronize(stream_));
  set_log_sink(nullptr);
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
  NV12SLOT_TEST_CUDA(cuThreadExchangeStreamCaptureMode, &mode);
  EXPECT_EQ(mode, CU_STREAM_CAPTURE_MODE_GLOBAL) << "it was left relaxed";
}

TEST_F(CudaDeviceTest, an_error_tells_the_call_its_place_and_what_cuda_says) {
  NEEDS_STANDIN();
  standin_.fail("cuMemcpy2DAsync", CUDA_ERROR_INVALID_VALUE, 0, 1);
  Picture picture(2, 2, 2, 2);
  const Slot slot = allocate(2, 512);
  const Status status = device_->copy(slot.planes, 0, picture.planes(), kHostDomain, 2, 2, stream_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.code(), Errc::kDeviceFailed);
  for (const char* part : {"cuMemcpy2DAsync(", "cuda_copy.cpp:", "CUDA_ERROR_INVALID_VALUE"}) {
    EXPECT_NE(status.error().message.find(part), std::string::npos) << status.error().message;
  }
  free(slot);
}

TEST_F(CudaDeviceTest, a_copy_that_fails_on_the_device_makes_its_fence_fail) {
  NEEDS_STANDIN();
  const Slot from = allocate(64, 512);
  const Slot to = allocate(64, 512);
  standin_.fail_operation("cuLaunchKernel", CUDA_ERROR_ILLEGAL_ADDRESS, 0, 1);
  expect_ok(device_->copy(to.planes, 0, from.planes, 0, 512, 64, stream_));
  const Status status = device_->synchronize(stream_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.code(), Errc::kDeviceFailed);
  EXPECT_NE(status.error().message.find("CUDA_ERROR_ILLEGAL_ADDRESS"), std::string::npos)
      << status.error().message;
  EXPECT_EQ(Fence::record(*device_, stream_).code(), Errc::kDeviceFailed);
  standin_.stick(0, nullptr, 0);
  free(from);
  free(to);
}

TEST_F(CudaDeviceTest, a_failing_query_is_an_error_and_not_ready_is_none) {
  NEEDS_STANDIN();
  const Fence fence = value(Fence::record(*device_, stream_));
  standin_.fail("cuEventQuery", CUDA_ERROR_LAUNCH_FAILED, 0, 1);
  EXPECT_EQ(fence.is_complete().code(), Errc::kDeviceFailed);
  standin_.fail("cuEventQuery", CUDA_ERROR_NOT_READY, 0, 1);
  EXPECT_FALSE(value(fence.is_complete()));
}

TEST_F(CudaDeviceTest, every_kernel_is_launched_at_open) {
  NEEDS_STANDIN();
  standin_.reset();
  EXPECT_TRUE(open_cuda_device(0));
  EXPECT_EQ(standin_.calls("cuModuleLoadData"), 1u);
  EXPECT_EQ(standin_.calls("cuLaunchKernel"), 2u);
}

std::string* g_warnings = nullptr;

class DegradedCudaDeviceTest : public CudaDeviceTest {
 protected:
  DegradedCudaDeviceTest() {
    g_warnings = &warnings_;
    set_log_sink([](LogLevel level, std::string_view message) {
      if (level >= LogLevel::kWarning) g_warnings->append(message);
    });
  }
  ~DegradedCudaDeviceTest() override { set_log_sink(nullptr); }
  void SetUp() override {}

  std::string warnings_;
};

TEST_F(DegradedCudaDeviceTest, a_driver_that_does_not_say_how_many_devices_there_are_is_told_of) {
  NEEDS_STANDIN();
  standin_.fail("cuDeviceGetCount", CUDA_ERROR_UNKNOWN, 0, 1);
  EXPECT_EQ(cuda_device_count(), 0);
  EXPECT_EQ(warnings_.rfind("DEVICE none can be used: cuDeviceGetCount", 0), 0u) << warnings_;
  EXPECT_GT(cuda_device_count(), 0);
}

TEST_F(DegradedCudaDeviceTest, a_driver_that_cannot_load_the_kernel_copies_by_itself) {
  NEEDS_STANDIN();
  standin_.fail("cuModuleLoadData", CUDA_ERROR_NO_BINARY_FOR_GPU, 0, 1);
  open();
  EXPECT_EQ(warnings_.rfind("DEVICE 0: no copy kernel", 0), 0u) << warnings_;
  const Slot from = allocate(64, 512);
  const Slot to = allocate(64, 512);
  expect_ok(device_->copy(to.planes, 0, from.planes, 0, 512, 64, stream_));
  expect_ok(device_->synchronize(stream_));
  EXPECT_EQ(standin_.calls("cuMemcpy2DAsync"), 2u);
  free(from);
  free(to);
}

TEST_F(DegradedCudaDeviceTest, a_driver_that_cannot_load_the_kernels_converts_nothing_and_says_so) {
  NEEDS_STANDIN();
  standin_.fail("cuModuleLoadData", CUDA_ERROR_NO_BINARY_FOR_GPU, 0, 1);
  open();
  const Status status = device_->convert_p010({}, {}, 2, 2, stream_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.code(), Errc::kDeviceFailed);
  EXPECT_NE(status.error().message.find("10-bit"), std::string::npos) << status.error().message;
}

TEST_F(DegradedCudaDeviceTest, a_device_without_memory_pools_uses_plain_memory) {
  NEEDS_STANDIN();
  standin_.fail("cuMemPoolCreate", CUDA_ERROR_NOT_SUPPORTED, 0, 1);
  open();
  EXPECT_EQ(warnings_.rfind("DEVICE 0: no memory pool", 0), 0u) << warnings_;
  const std::uint64_t allocated = standin_.calls("cuMemAlloc");
  const std::uint64_t freed = standin_.calls("cuMemFree");
  free(allocate(64, 512));
  EXPECT_EQ(standin_.calls("cuMemAlloc"), allocated + 1);
  EXPECT_EQ(standin_.calls("cuMemFree"), freed + 1);
  EXPECT_EQ(standin_.calls("cuMemAllocFromPoolAsync"), 0u);
}

TEST_F(DegradedCudaDeviceTest, a_device_that_cannot_be_opened_leaves_nothing_behind) {
  NEEDS_STANDIN();
  for (const char* call : {"cuDevicePrimaryCtxRetain", "cuCtxPushCurrent",
                           "cuCtxGetStreamPriorityRange", "cuMemPoolSetAttribute"}) {
    standin_.fail(call, CUDA_ERROR_UNKNOWN, 0, 1);
    const Result<std::unique_ptr<Device>> device = open_cuda_device(0);
    ASSERT_FALSE(device) << call;
    EXPECT_EQ(device.code(), Errc::kDeviceFailed);
    EXPECT_NE(device.error().message.find(call), std::string::npos) << device.error().message;
    EXPECT_EQ(standin_.live_streams(0), 0u) << call;
    int active = 0;
    unsigned flags = 0;
    NV12SLOT_TEST_CUDA(cuDevicePrimaryCtxGetState, 0, &flags, &active);
    EXPECT_EQ(active, 0) << call;
  }
}

TEST_F(DegradedCudaDeviceTest, a_device_that_is_destroyed_gives_everything_back) {
  NEEDS_STANDIN();
  open();
  device_->give_event(value(device_->take_event()));
  device_->give_stream(stream_);
  device_.reset();
  EXPECT_EQ(standin_.live_streams(0), 0u);
  EXPECT_EQ(standin_.live_events(0), 0u);
  EXPECT_EQ(warnings_, "");
}

// Registered before the driver is loaded, so that it runs after the library's own exit handler;
// destructors of the program's statics run as late.
Device* g_device = nullptr;
void check_at_exit() {
  const Status status = g_device->synchronize(nullptr);
  const bool refused = !status && status.code() == Errc::kExiting;
  const bool nothing_opens = cuda_device_count() == 0;
  const standin::Control& control = standin::control();
  const bool silent = !control.present() || control.calls_after_exit() == 0;
  std::fprintf(stderr, "refused %d, nothing opens %d, silent %d\n", refused, nothing_opens, silent);
  std::_Exit(refused && nothing_opens && silent ? 0 : 1);
}

TEST(CudaDeviceExit, no_driver_call_is_made_once_exit_has_begun) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::atexit(check_at_exit);
        g_device = open_cuda_device(0).value().release();
        std::exit(3);
      },
      testing::ExitedWithCode(0), "refused 1, nothing opens 1, silent 1");
}

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // Asks without loading the library's driver: the exit test does that in its own order.
  if (dlopen("libcuda.so.1", RTLD_NOW) == nullptr) {
    std::fprintf(stderr, "SKIP: neither a driver nor the stand-in: %s\n", dlerror());
    return 77;
  }
  return RUN_ALL_TESTS();
}
