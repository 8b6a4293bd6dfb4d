// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "fake_clock.h"
#include "fake_device.h"
#include "nv12slot/frame_registry.h"
#include "nv12slot/log.h"
#include "nv12slot/slot_pool.h"

namespace nv12slot {

/// A registry over a pool with one fake device and a fake clock.
class RegistryFixture : public testing::Test {
 protected:
  RegistryFixture() {
    set_log_sink([](LogLevel, std::string_view) {});
    EXPECT_TRUE(pool_.device(0));
  }
  ~RegistryFixture() override { set_log_sink(nullptr); }

  Lease lease() {
    return std::move(pool_.acquire({.domain = 0, .width = 64, .height = 64})).value();
  }
  FrameRef attach(Source& source, ReleaseCallback on_release = {}) {
    Result<InFlight> guard = source.begin_frame();
    EXPECT_TRUE(guard);
    return registry_.attach(lease(), std::move(guard).value(), 40, std::move(on_release));
  }

  FakeClock clock_;
  FakeDevice* device_ = nullptr;
  SlotPool pool_{clock_,
                 [this](Domain domain) -> Result<std::unique_ptr<Device>> {
                   auto device = std::make_unique<FakeDevice>(domain);
                   if (domain == 0) device_ = device.get();
                   return std::unique_ptr<Device>(std::move(device));
                 },
                 PoolSettings{}};
  FrameRegistry registry_{clock_};
};

}  // namespace nv12slot
