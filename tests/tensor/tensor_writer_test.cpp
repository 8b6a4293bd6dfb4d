// SPDX-License-Identifier: LGPL-2.1-or-later
//
// On the host; device_tensor_test.cpp compares devices with it.
#include "tensor_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "nv12slot/host_device.h"
#include "tensor_oracle.h"

namespace nv12slot {
namespace {

constexpr std::uint8_t kUntouched = 0xee;
constexpr std::size_t kGuard = 64;

/// A tensor with something of others' before and behind it.
class Tensor {
 public:
  explicit Tensor(const TensorSpec& spec)
      : spec_(spec), memory_(spec.frame_bytes() + 2 * kGuard, kUntouched) {}

  [[nodiscard]] std::uintptr_t address() {
    return reinterpret_cast<std::uintptr_t>(memory_.data() + kGuard);
  }
  [[nodiscard]] std::vector<std::uint8_t> bytes() const {
    return {memory_.begin() + kGuard, memory_.end() - kGuard};
  }
  [[nodiscard]] std::vector<double> values() const { return values_of(spec_, bytes()); }
  [[nodiscard]] bool guards_are_untouched() const {
    const std::vector<std::uint8_t> guard(kGuard, kUntouched);
    return std::equal(guard.begin(), guard.end(), memory_.begin()) &&
           std::equal(guard.begin(), guard.end(), memory_.end() - kGuard);
  }

 private:
  TensorSpec spec_;
  std::vector<std::uint8_t> memory_;
};

class TensorWriterTest : public testing::Test {
 protected:
  TensorWriter open(const TensorSpec& spec) {
    Result<TensorWriter> writer = TensorWriter::open(device_, spec);
    EXPECT_TRUE(writer) << writer.error().message;
    return std::move(writer).value();
  }
  /// The tensor of a picture whose samples are all the same.
  std::vector<double> plain(const TensorSpec& spec, const Colour& colour, std::uint8_t y,
                            std::uint8_t u, std::uint8_t v) {
    Picture picture(16, 16, 16, 16);
    const Nv12Planes planes = picture.planes();
    std::memset(reinterpret_cast<void*>(planes.y), y, 256);
    for (std::size_t i = 0; i < 128; ++i) {
      reinterpret_cast<std::uint8_t*>(planes.uv)[i] = i % 2 == 0 ? u : v;
    }
    Tensor tensor(spec);
    EXPECT_TRUE(open(spec).write({planes, 16, 16, colour, tensor.address()}, nullptr));
    return tensor.values();
  }
  /// That write() refuses, and says this word.
  void expect_refused(const Nv12Planes& planes, std::uint32_t width, std::uint32_t height,
                      std::uintptr_t tensor, const std::string& word) {
    const Status status =
        open({.width = 8, .height = 8}).write({planes, width, height, {}, tensor}, nullptr);
    ASSERT_FALSE(status) << word;
    EXPECT_EQ(status.code(), Errc::kInvalidArgument);
    EXPECT_NE(status.error().message.find(word), std::string::npos) << status.error().message;
  }

  HostDevice device_;
};

class EveryCaseTest : public TensorWriterTest, public testing::WithParamInterface<TensorCase> {};

TEST_P(EveryCaseTest, every_value_is_what_the_definitions_say) {
  const TensorCase& it = GetParam();
  // Rows with padding, which belongs to others.
  Picture picture(it.width, it.height, it.width + 6, it.width + 10);
  picture.draw(31);
  Tensor tensor(it.spec);
  ASSERT_TRUE(open(it.spec).write(
      {picture.planes(), it.width, it.height, it.colour, tensor.address()}, nullptr));
  EXPECT_TRUE(tensor.guards_are_untouched());
  const std::vector<double> expected = expected_tensor(it, picture);
  const std::vector<double> values = tensor.values();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double most = tolerance(it, channel_of_element(it.spec, i), expected[i]);
    if (std::abs(values[i] - expected[i]) <= most) continue;
    if (++wrong == 1) {
      ADD_FAILURE() << "element " << i << " is " << values[i] << ", not " << expected[i];
    }
  }
  EXPECT_EQ(wrong, 0u) << "of " << values.size();
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryCaseTest, testing::ValuesIn(tensor_cases()));

TEST_F(TensorWriterTest, what_is_no_tensor_is_refused_when_it_is_opened) {
  TensorSpec spec;
  spec.std[2] = 0;
  const Result<TensorWriter> writer = TensorWriter::open(device_, spec);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.code(), Errc::kInvalidArgument);
  EXPECT_NE(writer.error().message.find("std 2 is 0"), std::string::npos) << writer.error().message;
}

TEST_F(TensorWriterTest, pictures_that_cannot_be_are_refused) {
  Picture picture(8, 8, 8, 8);
  Tensor tensor({.width = 8, .height = 8});
  const std::uintptr_t to = tensor.address();
  for (const auto& [width, height] :
       {std::pair{0u, 8u}, {8u, 0u}, {7u, 8u}, {8u, 7u}, {16386u, 8u}}) {
    expect_refused(picture.planes(), width, height, to, "must be even, from 2 to 16384");
  }
  for (std::size_t Nv12Planes::*const pitch : {&Nv12Planes::y_pitch, &Nv12Planes::uv_pitch}) {
    Nv12Planes planes = picture.planes();
    planes.*pitch = 7;
    expect_refused(planes, 8, 8, to, "rows of at least 8 bytes");
  }
  for (std::uintptr_t Nv12Planes::*const plane : {&Nv12Planes::y, &Nv12Planes::uv}) {
    Nv12Planes planes = picture.planes();
    planes.*plane = 0;
    expect_refused(planes, 8, 8, to, "two planes");
  }
  EXPECT_EQ(tensor.bytes(), std::vector<std::uint8_t>(8 * 8 * 3 * 4, kUntouched));
}

TEST_F(TensorWriterTest, a_tensor_that_is_nowhere_or_not_aligned_to_its_values_is_refused) {
  Picture picture(8, 8, 8, 8);
  Tensor tensor({.width = 8, .height = 8});
  expect_refused(picture.planes(), 8, 8, 0, "no tensor");
  expect_refused(picture.planes(), 8, 8, tensor.address() + 2, "4-byte values");
}

TEST_F(TensorWriterTest, blacker_than_black_and_whiter_than_white_saturate) {
  const Colour limited{.matrix = ColourMatrix::kBt709};
  for (const double value : plain({.width = 4, .height = 4}, limited, 255, 128, 128)) {
    EXPECT_EQ(value, 1);
  }
  for (const double value : plain({.width = 4, .height = 4}, limited, 0, 128, 128)) {
    EXPECT_EQ(value, 0);
  }
}

TEST_F(TensorWriterTest, red_comes_first_in_rgb_and_last_in_bgr) {
  // BT.601's red in full range.
  TensorSpec spec{.width = 1, .height = 1, .scale = 1};
  const Colour colour{.matrix = ColourMatrix::kBt601, .full_range = true};
  const std::vector<double> rgb = plain(spec, colour, 76, 85, 255);
  spec.order = ChannelOrder::kBgr;
  const std::vector<double> bgr = plain(spec, colour, 76, 85, 255);
  EXPECT_NEAR(rgb[0], 254, 1);
  EXPECT_NEAR(rgb[1], 0, 1);
  EXPECT_NEAR(rgb[2], 0, 1);
  EXPECT_EQ(bgr, (std::vector<double>{rgb[2], rgb[1], rgb[0]}));
}

TEST_F(TensorWriterTest, one_writer_serves_pictures_of_any_size_from_several_threads) {
  const TensorSpec spec{.width = 48, .height = 48};
  const TensorWriter writer = open(spec);
  const auto make = [&](std::uint32_t width) {
    Picture picture(width, 54, width, width);
    picture.draw(width);
    Tensor tensor(spec);
    EXPECT_TRUE(writer.write({picture.planes(), width, 54, {}, tensor.address()}, nullptr));
    return tensor.bytes();
  };
  std::vector<std::vector<std::uint8_t>> alone;
  for (std::uint32_t i = 0; i < 4; ++i) alone.push_back(make(64 + 2 * i));
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) EXPECT_EQ(make(64 + 2 * i), alone[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace nv12slot
