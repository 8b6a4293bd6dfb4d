// SPDX-License-Identifier: LGPL-2.1-or-later
#include <dlfcn.h>
#include <gtest/gtest.h>

#include "nv12slot/cuda_device.h"

namespace nv12slot {
namespace {

TEST(NoDriver, there_are_no_devices_and_opening_one_says_why) {
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD) != nullptr ||
      dlopen("libcuda.so.1", RTLD_LAZY) != nullptr) {
    GTEST_SKIP() << "this machine has a driver";
  }
  EXPECT_EQ(cuda_device_count(), 0);
  const Result<std::unique_ptr<Device>> device = open_cuda_device(0);
  ASSERT_FALSE(device);
  EXPECT_EQ(device.code(), Errc::kNoDevice);
  const std::string& why = device.error().message;
  EXPECT_TRUE(why.find("libcuda.so.1") != std::string::npos ||
              why.find("without CUDA") != std::string::npos)
      << why;
}

}  // namespace
}  // namespace nv12slot
