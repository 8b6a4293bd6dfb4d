// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "fake_clock.h"
#include "fake_device.h"
#include "nv12slot/log.h"
#include "nv12slot/slot_pool.h"

namespace nv12slot {

/// A pool over fake devices and a fake clock.
class SlotPoolTest : public testing::Test {
 protected:
  SlotPoolTest() {
    set_log_sink([](LogLevel, std::string_view) {});
  }
  ~SlotPoolTest() override { set_log_sink(nullptr); }

  // Opening more domains than one makes more devices; gpu() is domain 0's.
  DeviceOpener opener() {
    return [this](Domain domain) -> Result<std::unique_ptr<Device>> {
      if (domain > 1) return Error{Errc::kNoDevice, "no such device"};
      auto device = std::make_unique<FakeDevice>(domain);
      if (domain == 0) gpu_ = device.get();
      return std::unique_ptr<Device>(std::move(device));
    };
  }

  FakeDevice& gpu() {
    EXPECT_TRUE(pool_.device(0));
    return *gpu_;
  }

  // A 64 x 64 slot of domain 0 unless told otherwise.
  Result<Lease> acquire(AcquireRequest request = {}, Domain domain = 0) {
    request.domain = domain;
    if (request.width == 0) request.width = request.height = 64;
    return pool_.acquire(request);
  }
  Lease take(AcquireRequest request = {}) {
    Result<Lease> lease = acquire(request);
    EXPECT_TRUE(lease) << (lease ? "" : lease.error().message);
    return std::move(lease).value();
  }
  Fence fence(Lease& lease) {
    return std::move(Fence::record(lease.device(), lease.stream())).value();
  }
  // Of a thread that needs no more of the fake clock's time: whether it is done within 5 s of its
  // own.
  static bool comes_true(const std::atomic<bool>& done) {
    for (int i = 0; i < 5000 && !done; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return done;
  }
  void set_cap(unsigned cap) { ASSERT_TRUE(pool_.set_cap(cap)); }

  FakeClock clock_;
  FakeDevice* gpu_ = nullptr;
  SlotPool pool_{clock_, opener(), PoolSettings{}};
};

}  // namespace nv12slot
