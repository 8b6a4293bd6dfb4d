// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Kernels of others, loaded and launched by the device. On a GPU they are PTX; the stand-in knows
// them by their names.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "cuda_device_fixture.h"

namespace nv12slot {
namespace {

// Two kernels that store `value` or its double at `address`.
constexpr char kImage[] = R"(
.version 7.0
.target sm_70
.address_size 64
.visible .entry store_once(.param .u64 address, .param .u32 value)
{
  .reg .u64 %rd<2>;
  .reg .u32 %r<2>;
  ld.param.u64 %rd1, [address];
  ld.param.u32 %r1, [value];
  st.global.u32 [%rd1], %r1;
  ret;
}
.visible .entry store_double(.param .u64 address, .param .u32 value)
{
  .reg .u64 %rd<2>;
  .reg .u32 %r<3>;
  ld.param.u64 %rd1, [address];
  ld.param.u32 %r1, [value];
  add.u32 %r2, %r1, %r1;
  st.global.u32 [%rd1], %r2;
  ret;
}
)";
const std::string kOtherImage = kImage;

template <unsigned kFactor>
void store(const standin_launch* launch) {
  **static_cast<std::uint32_t**>(launch->parameters[0]) =
      kFactor * *static_cast<std::uint32_t*>(launch->parameters[1]);
}

std::size_t ranges_of_store(const standin_launch* launch, standin_range* ranges) {
  ranges[0] = {*static_cast<std::uintptr_t*>(launch->parameters[0]), 4, 1, 4, 1};
  return 1;
}

class CudaKernelTest : public CudaDeviceTest {
 protected:
  void SetUp() override {
    CudaDeviceTest::SetUp();
    memory_ = value(device_->allocate(sizeof(std::uint32_t), stream_));
    if (!standin_.present()) return;
    static const std::size_t sizes[] = {sizeof(std::uintptr_t), sizeof(std::uint32_t)};
    const standin_kernel kernels[] = {{"store_once", sizes, 2, store<1>, ranges_of_store},
                                      {"store_double", sizes, 2, store<2>, ranges_of_store}};
    for (const standin_kernel& kernel : kernels) standin_.register_kernel(&kernel);
    standin_.reset();
  }
  void TearDown() override {
    if (device_ != nullptr) expect_ok(device_->free(memory_, stream_));
    CudaDeviceTest::TearDown();
  }

  Status launch(KernelHandle kernel, std::uint32_t number, const LaunchGrid& grid = {}) {
    void* parameters[] = {&memory_, &number};
    return device_->launch(kernel, grid, parameters, stream_);  // `number` ends with the call
  }
  std::uint32_t stored() {
    std::uint32_t number = 0;
    expect_ok(device_->copy_bytes(reinterpret_cast<std::uintptr_t>(&number), kHostDomain, memory_,
                                  0, sizeof(number), stream_));
    expect_ok(device_->synchronize(stream_));
    return number;
  }

  std::uintptr_t memory_ = 0;
};

TEST_F(CudaKernelTest, a_kernel_runs_with_its_parameters_in_its_stream) {
  const KernelHandle once = value(device_->load_kernel(kImage, "store_once"));
  const KernelHandle twice = value(device_->load_kernel(kImage, "store_double"));
  expect_ok(launch(once, 21));
  EXPECT_EQ(stored(), 21u);
  expect_ok(launch(twice, 21));
  EXPECT_EQ(stored(), 42u);
}

TEST_F(CudaKernelTest, a_launch_does_not_wait_and_has_copied_its_parameters) {
  NEEDS_STANDIN();
  const KernelHandle once = value(device_->load_kernel(kImage, "store_once"));
  const standin::StreamGate gate(stream_);
  expect_ok(launch(once, 5));  // else hangs
  gate.open();
  EXPECT_EQ(stored(), 5u);
}

TEST_F(CudaKernelTest, a_kernel_keeps_its_handle_and_is_on_the_device_once) {
  const KernelHandle once = value(device_->load_kernel(kImage, "store_once"));
  EXPECT_EQ(value(device_->load_kernel(kImage, "store_once")), once);
  const std::string name = "store_once";  // told by its text, not by where that is
  EXPECT_EQ(value(device_->load_kernel(kImage, name.c_str())), once);
  NEEDS_STANDIN();
  EXPECT_EQ(standin_.calls("cuModuleLoadData"), 1u);
  EXPECT_EQ(standin_.calls("cuModuleGetFunction"), 1u);
  EXPECT_EQ(standin_.calls("cuFuncLoad"), 1u);
}

TEST_F(CudaKernelTest, the_kernels_of_an_image_share_one_module_and_those_of_another_have_theirs) {
  const KernelHandle once = value(device_->load_kernel(kImage, "store_once"));
  EXPECT_NE(value(device_->load_kernel(kImage, "store_double")), once);
  if (standin_.present()) {
    EXPECT_EQ(standin_.calls("cuModuleLoadData"), 1u);
  }
  const KernelHandle other = value(device_->load_kernel(kOtherImage.c_str(), "store_once"));
  EXPECT_NE(other, once);
  if (standin_.present()) {
    EXPECT_EQ(standin_.calls("cuModuleLoadData"), 2u);
  }
  expect_ok(launch(other, 3));
  EXPECT_EQ(stored(), 3u);
}

TEST_F(CudaKernelTest, threads_that_load_at_once_load_once) {
  NEEDS_STANDIN();
  standin_.set_cost_model(1);  // all are there before the first has loaded
  constexpr unsigned kRounds = 5;
  const std::vector<std::string> images(kRounds, kImage);
  for (const std::string& image : images) {
    std::atomic<int> ready{0};
    std::vector<KernelHandle> handles(4);
    std::vector<std::thread> threads;
    for (KernelHandle& handle : handles) {
      threads.emplace_back([&] {
        for (++ready; ready < 4;) std::this_thread::yield();
        handle = value(device_->load_kernel(image.c_str(), "store_once"));
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(std::count(handles.begin(), handles.end(), handles[0]), 4);
  }
  EXPECT_EQ(standin_.calls("cuModuleLoadData"), kRounds);
}

TEST_F(CudaKernelTest, a_kernel_that_the_image_has_not_is_an_error_and_the_image_stays) {
  const Result<KernelHandle> none = device_->load_kernel(kImage, "store_nothing");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.code(), Errc::kDeviceFailed);
  EXPECT_NE(none.error().message.find("cuModuleGetFunction"), std::string::npos)
      << none.error().message;
  EXPECT_TRUE(device_->load_kernel(kImage, "store_once"));
  NEEDS_STANDIN();
  EXPECT_EQ(standin_.calls("cuModuleLoadData"), 1u);
}

TEST_F(CudaKernelTest, what_failed_to_load_can_be_tried_again) {
  NEEDS_STANDIN();
  for (const char* call : {"cuModuleLoadData", "cuModuleGetFunction", "cuFuncLoad"}) {
    standin_.fail(call, CUDA_ERROR_OUT_OF_MEMORY, 0, 1);
    EXPECT_EQ(device_->load_kernel(kImage, "store_once").code(), Errc::kOutOfMemory) << call;
  }
  expect_ok(launch(value(device_->load_kernel(kImage, "store_once")), 8));
  EXPECT_EQ(stored(), 8u);
}

TEST_F(CudaKernelTest, an_image_without_code_for_the_device_is_an_error) {
  NEEDS_STANDIN();
  standin_.fail("cuModuleLoadData", CUDA_ERROR_NO_BINARY_FOR_GPU, 0, 1);
  EXPECT_EQ(device_->load_kernel(kImage, "store_once").code(), Errc::kDeviceFailed);
}

TEST_F(CudaKernelTest, no_image_no_name_and_no_kernel_are_refused) {
  EXPECT_EQ(device_->load_kernel(nullptr, "store_once").code(), Errc::kInvalidArgument);
  EXPECT_EQ(device_->load_kernel(kImage, nullptr).code(), Errc::kInvalidArgument);
  EXPECT_EQ(device_->load_kernel(kImage, "").code(), Errc::kInvalidArgument);
  EXPECT_EQ(refused(launch(nullptr, 1)), Errc::kInvalidArgument);
}

TEST_F(CudaKernelTest, a_grid_that_the_device_cannot_run_is_an_error_and_nothing_runs) {
  const KernelHandle once = value(device_->load_kernel(kImage, "store_once"));
  expect_ok(launch(once, 1));
  EXPECT_EQ(refused(launch(once, 2, {.grid = {0, 1, 1}})), Errc::kDeviceFailed);
  EXPECT_EQ(refused(launch(once, 2, {.block = {1024, 2, 1}})), Errc::kDeviceFailed);
  EXPECT_EQ(stored(), 1u);
}

TEST_F(CudaKernelTest, what_was_loaded_goes_with_the_device) {
  NEEDS_STANDIN();
  EXPECT_TRUE(device_->load_kernel(kImage, "store_once"));
  EXPECT_TRUE(device_->load_kernel(kOtherImage.c_str(), "store_once"));
  expect_ok(device_->free(memory_, stream_));
  expect_ok(device_->synchronize(stream_));
  device_->give_stream(stream_);
  device_.reset();
  EXPECT_EQ(standin_.calls("cuModuleUnload"), 3u);  // the device's own, too
}

}  // namespace
}  // namespace nv12slot
