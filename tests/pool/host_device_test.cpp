// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/host_device.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "fake_device.h"
#include "picture.h"
#include "refused.h"

namespace nv12slot {
namespace {

TEST(HostDevice, memory_is_aligned_and_writable_to_its_end) {
  HostDevice device;
  for (std::size_t bytes : {1, 63, 64, 65, 3110400}) {
    const Result<std::uintptr_t> memory = device.allocate(bytes, nullptr);
    ASSERT_TRUE(memory);
    EXPECT_EQ(memory.value() % device.row_alignment(), 0u);
    std::memset(reinterpret_cast<void*>(memory.value()), 1, bytes);
    EXPECT_TRUE(device.free(memory.value(), nullptr));
  }
}

TEST(HostDevice, more_memory_than_there_is_is_an_error) {
  HostDevice device;
  std::vector<std::size_t> sizes = {SIZE_MAX, SIZE_MAX - 63};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  sizes.push_back(SIZE_MAX / 2);  // the sanitizers' malloc ends the program instead
#endif
  for (const std::size_t bytes : sizes) {
    const Result<std::uintptr_t> memory = device.allocate(bytes, nullptr);
    ASSERT_FALSE(memory) << bytes;
    EXPECT_EQ(memory.code(), Errc::kOutOfMemory);
  }
}

TEST(HostDevice, a_copy_takes_the_samples_and_leaves_the_padding) {
  HostDevice device;
  struct Pitches {
    std::size_t from_y, from_uv, to_y, to_uv;
  };
  // Tight to tight is one memcpy a plane; the others go row by row.
  for (const Pitches& pitch : {Pitches{66, 66, 66, 66},
                               {66, 66, 128, 128},
                               {128, 66, 66, 128},
                               {128, 128, 128, 128},
                               {70, 72, 74, 76}}) {
    Picture source(66, 10, pitch.from_y, pitch.from_uv);
    Picture destination(66, 10, pitch.to_y, pitch.to_uv, 0xee);
    source.draw(1);
    ASSERT_TRUE(device.copy(destination.planes(), kHostDomain, source.planes(), kHostDomain, 66, 10,
                            nullptr));
    EXPECT_EQ(destination.samples(), source.samples());
    EXPECT_TRUE(destination.padding_is(0xee));
  }
}

TEST(HostDevice, samples_of_16_bits_are_rounded_to_the_nearest_and_the_padding_is_left) {
  HostDevice device;
  for (const std::size_t padding : {0, 2, 60}) {
    P010Picture source(66, 10, padding);
    Picture destination(66, 10, 66 + padding, 128, 0xee);
    ASSERT_TRUE(device.convert_p010(destination.planes(), source.bytes.planes(), 66, 10, nullptr));
    EXPECT_EQ(destination.samples(), source.expected);
    EXPECT_TRUE(destination.padding_is(0xee));
  }
}

TEST(HostDevice, a_copy_from_or_to_a_gpu_is_refused) {
  HostDevice device;
  Picture picture(2, 2, 2, 2);
  EXPECT_EQ(refused(device.copy(picture.planes(), 0, picture.planes(), kHostDomain, 2, 2, nullptr)),
            Errc::kInvalidArgument);
  EXPECT_EQ(refused(device.copy(picture.planes(), kHostDomain, picture.planes(), 0, 2, 2, nullptr)),
            Errc::kInvalidArgument);
}

TEST(HostDevice, bytes_are_copied_and_no_more_than_asked_for) {
  HostDevice device;
  const std::vector<std::uint8_t> source = {1, 2, 3, 4, 5};
  std::vector<std::uint8_t> destination(5, 0xee);
  const auto from = reinterpret_cast<std::uintptr_t>(source.data());
  const auto to = reinterpret_cast<std::uintptr_t>(destination.data());
  ASSERT_TRUE(device.copy_bytes(to, kHostDomain, from, kHostDomain, 3, nullptr));
  EXPECT_EQ(destination, (std::vector<std::uint8_t>{1, 2, 3, 0xee, 0xee}));
  EXPECT_TRUE(device.copy_bytes(0, kHostDomain, 0, kHostDomain, 0, nullptr));
  EXPECT_EQ(refused(device.copy_bytes(to, 0, from, kHostDomain, 3, nullptr)),
            Errc::kInvalidArgument);
  EXPECT_EQ(refused(device.copy_bytes(to, kHostDomain, from, 0, 3, nullptr)),
            Errc::kInvalidArgument);
}

TEST(HostDevice, the_host_runs_no_kernels) {
  HostDevice device;
  EXPECT_EQ(device.load_kernel("image", "kernel").code(), Errc::kInvalidArgument);
  EXPECT_EQ(refused(device.launch(&device, {}, nullptr, nullptr)), Errc::kInvalidArgument);
}

TEST(HostDevice, the_host_reads_no_memory_of_a_gpu) {
  HostDevice device;
  FakeDevice gpu;
  EXPECT_EQ(refused(device.read_from(gpu)), Errc::kInvalidArgument);
  EXPECT_TRUE(device.read_from(device));
}

}  // namespace
}  // namespace nv12slot
