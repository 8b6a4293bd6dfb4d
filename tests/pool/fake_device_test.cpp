// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the fake refuses as a real device does, so that tests with it mean something.
#include "fake_device.h"
#include "refused.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace nv12slot {
namespace {

TEST(FakeDevice, a_copy_from_another_device_needs_read_from) {
  FakeDevice device(0);
  FakeDevice peer(1);
  const int source = 7;
  int destination = 0;
  const auto copy = [&] {
    return device.copy_bytes(reinterpret_cast<std::uintptr_t>(&destination), 0,
                             reinterpret_cast<std::uintptr_t>(&source), 1, sizeof(int), nullptr);
  };
  EXPECT_EQ(refused(copy()), Errc::kInvalidArgument);
  device.set_peer_access(false);
  EXPECT_EQ(refused(device.read_from(peer)), Errc::kNoDevice);
  EXPECT_EQ(refused(copy()), Errc::kInvalidArgument);
  device.set_peer_access(true);
  EXPECT_TRUE(device.read_from(peer));
  EXPECT_TRUE(copy());
  EXPECT_EQ(destination, 7);
}

TEST(FakeDevice, a_launch_runs_what_the_test_has_for_the_kernel) {
  FakeDevice device;
  std::uint32_t blocks = 0;
  int sum = 0;
  device.set_kernel("add", [&](const LaunchGrid& grid, void** parameters) {
    blocks = grid.grid[0];
    sum = *static_cast<int*>(parameters[0]) + *static_cast<int*>(parameters[1]);
  });
  const KernelHandle add = device.load_kernel("image", "add").value();
  EXPECT_EQ(device.load_kernel("image", "add").value(), add);
  EXPECT_NE(device.load_kernel("image", "other").value(), add);
  int a = 1, b = 2;
  void* parameters[] = {&a, &b};
  EXPECT_TRUE(device.launch(add, {.grid = {5, 1, 1}}, parameters, nullptr));
  EXPECT_EQ(blocks, 5u);
  EXPECT_EQ(sum, 3);
}

}  // namespace
}  // namespace nv12slot
