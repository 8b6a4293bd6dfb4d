// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "../standin/standin_control.h"
#include "cuda_symbol.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/fence.h"
#include "picture.h"
#include "refused.h"

#define NEEDS_STANDIN() \
  if (!standin::control().present()) GTEST_SKIP() << "needs the stand-in driver"

namespace nv12slot {

/// Device 0 and a stream of it; with the stand-in reset before and without hazards after.
class CudaDeviceTest : public testing::Test {
 protected:
  CudaDeviceTest() {
    if (standin_.present()) standin_.reset();
  }
  ~CudaDeviceTest() override {
    if (standin_.present()) {
      EXPECT_EQ(standin_.hazards(), 0u) << standin_.last_hazard();
    }
  }

  void open() {
    Result<std::unique_ptr<Device>> device = open_cuda_device(0);
    ASSERT_TRUE(device) << device.error().message;
    device_ = std::move(device).value();
    stream_ = value(device_->take_stream());
  }
  void SetUp() override { open(); }
  void TearDown() override {
    if (device_ != nullptr) device_->give_stream(stream_);
  }

  template <typename T>
  static T value(Result<T> result) {
    EXPECT_TRUE(result) << result.error().message;
    return std::move(result).value();
  }
  static void expect_ok(const Status& status) { EXPECT_TRUE(status) << status.error().message; }

  // A picture of that size in device memory.
  struct Slot {
    std::uintptr_t memory;
    Nv12Planes planes;
  };
  Slot allocate(std::uint32_t height, std::size_t pitch, std::size_t offset = 0) {
    const std::uintptr_t memory =
        value(device_->allocate(pitch * height * 3 / 2 + offset, stream_));
    return {memory, {memory + offset, memory + offset + pitch * height, pitch, pitch}};
  }
  void free(const Slot& slot) { expect_ok(device_->free(slot.memory, stream_)); }

  void upload(const Nv12Planes& slot, Picture& picture, std::uint32_t width, std::uint32_t height) {
    expect_ok(device_->copy(slot, 0, picture.planes(), kHostDomain, width, height, stream_));
    expect_ok(device_->synchronize(stream_));
  }
  void download(Picture& picture, const Nv12Planes& slot, std::uint32_t width,
                std::uint32_t height) {
    expect_ok(device_->copy(picture.planes(), kHostDomain, slot, 0, width, height, stream_));
    expect_ok(device_->synchronize(stream_));
  }

  const standin::Control& standin_ = standin::control();
  std::unique_ptr<Device> device_;
  StreamHandle stream_ = nullptr;
};

}  // namespace nv12slot
