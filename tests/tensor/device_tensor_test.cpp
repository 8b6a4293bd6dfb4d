// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Tensors that a device makes, against those of the host. With a real driver as well as the
// stand-in; what needs the stand-in skips without it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "../standin/standin_control.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/host_device.h"
#include "tensor_oracle.h"
#include "tensor_writer.h"

namespace nv12slot {
namespace {

#define NEEDS_STANDIN() \
  if (!standin::control().present()) GTEST_SKIP() << "needs the stand-in driver"

constexpr std::size_t kGuard = 256;
constexpr std::uint8_t kUntouched = 0xee;
constexpr int kNotSupported = 801;  // CUDA_ERROR_NOT_SUPPORTED

template <typename T>
T value(Result<T> result) {
  EXPECT_TRUE(result) << result.error().message;
  return std::move(result).value();
}
void expect_ok(const Status& status) {
  EXPECT_TRUE(status) << status.error().message;
}

class DeviceTensorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (standin_.present()) standin_.reset();
    Result<std::unique_ptr<Device>> device = open_cuda_device(0);
    ASSERT_TRUE(device) << device.error().message;
    device_ = std::move(device).value();
    stream_ = value(device_->take_stream());
  }
  void TearDown() override {
    if (device_ == nullptr) return;
    for (const std::uintptr_t memory : memory_) expect_ok(device_->free(memory, stream_));
    expect_ok(device_->synchronize(stream_));
    device_->give_stream(stream_);
    if (standin_.present()) {
      EXPECT_EQ(standin_.hazards(), 0u) << standin_.last_hazard();
    }
  }

  std::uintptr_t allocate(std::size_t bytes) {
    memory_.push_back(value(device_->allocate(bytes, stream_)));
    return memory_.back();
  }
  /// A picture in device memory, which ends with its last sample.
  Nv12Planes upload(Picture& picture, std::uint32_t width, std::uint32_t height) {
    const std::size_t pitch = (width + 255) / 256 * 256;
    const std::uintptr_t y = allocate(pitch * (height - 1) + width);
    const std::uintptr_t uv = allocate(pitch * (height / 2 - 1) + width);
    const Nv12Planes planes{y, uv, pitch, pitch};
    expect_ok(device_->copy(planes, 0, picture.planes(), kHostDomain, width, height, stream_));
    expect_ok(device_->synchronize(stream_));
    return planes;
  }
  std::vector<std::uint8_t> download(std::uintptr_t from, std::size_t bytes) {
    std::vector<std::uint8_t> to(bytes);
    expect_ok(device_->copy_bytes(reinterpret_cast<std::uintptr_t>(to.data()), kHostDomain, from, 0,
                                  bytes, stream_));
    expect_ok(device_->synchronize(stream_));
    return to;
  }
  void upload(std::uintptr_t to, const std::vector<std::uint8_t>& from) {
    expect_ok(device_->copy_bytes(to, 0, reinterpret_cast<std::uintptr_t>(from.data()), kHostDomain,
                                  from.size(), stream_));
    expect_ok(device_->synchronize(stream_));
  }
  /// The tensor that the device makes at that offset from an aligned address.
  std::vector<std::uint8_t> on_device(const TensorCase& it, Picture& picture, std::size_t offset) {
    const Nv12Planes planes = upload(picture, it.width, it.height);
    const std::size_t bytes = it.spec.frame_bytes();
    const std::uintptr_t memory = allocate(bytes + 2 * kGuard);
    const std::size_t before = kGuard - 16 + offset;
    upload(memory, std::vector<std::uint8_t>(bytes + 2 * kGuard, kUntouched));
    const TensorWriter writer = value(TensorWriter::open(*device_, it.spec));
    expect_ok(writer.write({planes, it.width, it.height, it.colour, memory + before}, stream_));
    const std::vector<std::uint8_t> all = download(memory, bytes + 2 * kGuard);
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(before);
    const auto end = first + static_cast<std::ptrdiff_t>(bytes);
    const auto is_touched = [](std::uint8_t byte) { return byte != kUntouched; };
    EXPECT_EQ(std::count_if(all.begin(), first, is_touched), 0) << "before the tensor";
    EXPECT_EQ(std::count_if(end, all.end(), is_touched), 0) << "behind the tensor";
    return {first, end};
  }
  static std::vector<std::uint8_t> on_host(const TensorCase& it, Picture& picture) {
    HostDevice host;
    std::vector<std::uint8_t> tensor(it.spec.frame_bytes());
    expect_ok(value(TensorWriter::open(host, it.spec))
                  .write({picture.planes(), it.width, it.height, it.colour,
                          reinterpret_cast<std::uintptr_t>(tensor.data())},
                         nullptr));
    return tensor;
  }
  void expect_as_on_host(const TensorCase& it, std::size_t offset) {
    Picture picture(it.width, it.height, it.width, it.width);
    picture.draw(5);
    const std::vector<double> values = values_of(it.spec, on_device(it, picture, offset));
    const std::vector<double> expected = values_of(it.spec, on_host(it, picture));
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      // Bytes and halves may fall to the two sides of a tie.
      double most = 2 * tolerance(it, channel_of_element(it.spec, i), expected[i]);
      if (it.spec.type == TensorType::kF32) most = std::min(most, 1e-3);
      if (std::abs(values[i] - expected[i]) <= most) continue;
      if (++wrong == 1) {
        ADD_FAILURE() << "element " << i << " is " << values[i] << ", not " << expected[i];
      }
    }
    EXPECT_EQ(wrong, 0u) << "of " << values.size();
  }

  const standin::Control& standin_ = standin::control();
  std::unique_ptr<Device> device_;
  StreamHandle stream_ = nullptr;
  std::vector<std::uintptr_t> memory_;
};

class EveryDeviceCaseTest : public DeviceTensorTest,
                            public testing::WithParamInterface<TensorCase> {};

TEST_P(EveryDeviceCaseTest, a_device_makes_the_tensor_that_the_host_makes) {
  expect_as_on_host(GetParam(), 0);
}

// The second frame of a batch can start anywhere.
TEST_P(EveryDeviceCaseTest, a_tensor_that_is_aligned_to_its_values_only_is_the_same) {
  expect_as_on_host(GetParam(), bytes_of(GetParam().spec.type));
}

INSTANTIATE_TEST_SUITE_P(Cases, EveryDeviceCaseTest, testing::ValuesIn(tensor_cases()));

TEST_F(DeviceTensorTest, uv_rows_at_odd_addresses_are_refused) {
  const TensorSpec spec{.width = 8, .height = 8};
  const TensorWriter writer = value(TensorWriter::open(*device_, spec));
  const std::uintptr_t memory = allocate(4096);
  const std::uintptr_t tensor = allocate(spec.frame_bytes());
  for (const Nv12Planes& planes :
       {Nv12Planes{memory, memory + 1025, 64, 64}, Nv12Planes{memory, memory + 1024, 64, 65}}) {
    const Status status = writer.write({planes, 16, 16, {}, tensor}, stream_);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.code(), Errc::kInvalidArgument);
    EXPECT_NE(status.error().message.find("even addresses"), std::string::npos)
        << status.error().message;
  }
}

TEST_F(DeviceTensorTest, a_tensor_is_one_kernel_in_the_callers_stream_and_is_not_waited_for) {
  NEEDS_STANDIN();
  const TensorSpec spec{.width = 16, .height = 16};
  const TensorWriter writer = value(TensorWriter::open(*device_, spec));
  Picture picture(32, 32, 32, 32);
  const Nv12Planes planes = upload(picture, 32, 32);
  const std::uintptr_t tensor = allocate(spec.frame_bytes());
  standin_.reset();
  {
    const standin::StreamGate gate(stream_);
    expect_ok(writer.write({planes, 32, 32, {}, tensor}, stream_));
    EXPECT_GE(standin_.pending_operations(0), 2u) << "the gate and the kernel behind it";
    EXPECT_EQ(standin_.calls("cuLaunchKernel"), 1u);
    for (const char* call : {"cuStreamSynchronize", "cuCtxSynchronize", "cuMemAllocFromPoolAsync",
                             "cuMemAlloc", "cuModuleLoadData", "cuMemcpy2DAsync"}) {
      EXPECT_EQ(standin_.calls(call), 0u) << call;
    }
  }
  expect_ok(device_->synchronize(stream_));
}

// Of several sizes, in one launch for up to 16.
TEST_F(DeviceTensorTest, many_pictures_become_the_tensors_that_each_becomes_alone) {
  constexpr std::size_t kCount = 19;
  const TensorSpec spec{.width = 40, .height = 24, .type = TensorType::kF16};
  const TensorWriter writer = value(TensorWriter::open(*device_, spec));
  const std::size_t bytes = spec.frame_bytes();
  const std::uintptr_t together = allocate(kCount * bytes);
  const std::uintptr_t apart = allocate(kCount * bytes);
  std::vector<TensorPicture> pictures;
  for (std::size_t i = 0; i < kCount; ++i) {
    const auto side = static_cast<std::uint32_t>(16 + 2 * i);
    Picture picture(side, 20, side, side);
    picture.draw(static_cast<unsigned>(i));
    pictures.push_back({.planes = upload(picture, side, 20),
                        .width = side,
                        .height = 20,
                        .colour = {.full_range = i % 2 == 0},
                        .tensor = apart + i * bytes});
  }
  for (const TensorPicture& picture : pictures) expect_ok(writer.write(picture, stream_));
  for (std::size_t i = 0; i < kCount; ++i) pictures[i].tensor = together + i * bytes;
  if (standin_.present()) standin_.reset();
  expect_ok(writer.write(pictures, stream_));
  if (standin_.present()) {
    EXPECT_EQ(standin_.calls("cuLaunchKernel"), 2u);
  }
  EXPECT_EQ(download(together, kCount * bytes), download(apart, kCount * bytes));
}

TEST_F(DeviceTensorTest, one_picture_that_cannot_be_leaves_the_others_unwritten) {
  const TensorSpec spec{.width = 8, .height = 8};
  const TensorWriter writer = value(TensorWriter::open(*device_, spec));
  Picture picture(16, 16, 16, 16);
  const Nv12Planes planes = upload(picture, 16, 16);
  const std::uintptr_t tensor = allocate(spec.frame_bytes());
  const std::vector<std::uint8_t> untouched(spec.frame_bytes(), kUntouched);
  upload(tensor, untouched);
  const TensorPicture pictures[] = {{planes, 16, 16, {}, tensor}, {planes, 15, 16, {}, tensor}};
  const Status status = writer.write(pictures, stream_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(download(tensor, spec.frame_bytes()), untouched);
}

TEST_F(DeviceTensorTest, the_first_writer_of_a_device_launches_each_kernel_once) {
  NEEDS_STANDIN();
  const std::uint64_t allocations = standin_.live_allocations(0);
  standin_.reset();
  EXPECT_TRUE(TensorWriter::open(*device_, {}));
  EXPECT_EQ(standin_.calls("cuLaunchKernel"), 2u);
  EXPECT_EQ(standin_.live_allocations(0), allocations);
}

TEST_F(DeviceTensorTest, each_later_writer_loads_launches_and_allocates_nothing) {
  NEEDS_STANDIN();
  EXPECT_TRUE(TensorWriter::open(*device_, {}));
  standin_.reset();
  EXPECT_TRUE(TensorWriter::open(*device_, {.width = 32}));
  for (const char* call : {"cuModuleLoadData", "cuModuleGetFunction", "cuLaunchKernel",
                           "cuMemAllocFromPoolAsync", "cuStreamSynchronize"}) {
    EXPECT_EQ(standin_.calls(call), 0u) << call;
  }
}

TEST_F(DeviceTensorTest, a_driver_that_cannot_load_the_kernel_fails_the_opening_with_its_words) {
  NEEDS_STANDIN();
  standin_.fail("cuModuleLoadData", kNotSupported, 0, 1);
  const Result<TensorWriter> writer = TensorWriter::open(*device_, {});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.code(), Errc::kDeviceFailed);
  EXPECT_NE(writer.error().message.find("CUDA_ERROR_NOT_SUPPORTED"), std::string::npos)
      << writer.error().message;
  EXPECT_TRUE(TensorWriter::open(*device_, {})) << "the driver can again";
}

TEST_F(DeviceTensorTest, what_is_no_tensor_is_refused_before_the_driver_is_asked) {
  NEEDS_STANDIN();
  standin_.reset();
  const Result<TensorWriter> writer = TensorWriter::open(*device_, {.width = 0});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.code(), Errc::kInvalidArgument);
  EXPECT_EQ(standin_.calls(nullptr), 0u);
}

// The stand-in tells who touches memory that another stream still writes.
TEST_F(DeviceTensorTest, the_picture_is_read_and_the_tensor_written_in_the_callers_stream_only) {
  NEEDS_STANDIN();
  const TensorSpec spec{.width = 16, .height = 16};
  const TensorWriter writer = value(TensorWriter::open(*device_, spec));
  Picture picture(32, 32, 32, 32);
  const Nv12Planes planes = upload(picture, 32, 32);
  const std::uintptr_t tensor = allocate(spec.frame_bytes());
  const std::uintptr_t another = allocate(spec.frame_bytes());
  const StreamHandle other = value(device_->take_stream());
  {
    const standin::StreamGate gate(stream_);
    expect_ok(writer.write({planes, 32, 32, {}, tensor}, stream_));
    // Reading beside it is no harm; a second writer is.
    expect_ok(writer.write({planes, 32, 32, {}, another}, other));
    EXPECT_EQ(standin_.hazards(), 0u) << standin_.last_hazard();
    expect_ok(writer.write({planes, 32, 32, {}, tensor}, other));
    EXPECT_EQ(standin_.hazards(), 1u);
  }
  expect_ok(device_->synchronize(stream_));
  expect_ok(device_->synchronize(other));
  device_->give_stream(other);
  standin_.reset();  // the hazard was wanted
}

TEST_F(DeviceTensorTest, a_peers_picture_is_read_in_place) {
  if (cuda_device_count() < 2) GTEST_SKIP() << "needs two devices";
  const std::unique_ptr<Device> peer = value(open_cuda_device(1));
  const Status readable = device_->read_from(*peer);
  if (!readable) GTEST_SKIP() << readable.error().message;
  const TensorCase it{64, 48, {.width = 40, .height = 40}, {}};
  Picture picture(it.width, it.height, it.width, it.width);
  picture.draw(3);
  const StreamHandle peers_stream = value(peer->take_stream());
  const std::uintptr_t memory = value(peer->allocate(256 * 72, peers_stream));
  const Nv12Planes planes{memory, memory + 256 * 48, 256, 256};
  expect_ok(peer->copy(planes, 1, picture.planes(), kHostDomain, 64, 48, peers_stream));
  expect_ok(peer->synchronize(peers_stream));

  const std::uintptr_t tensor = allocate(it.spec.frame_bytes());
  const TensorWriter writer = value(TensorWriter::open(*device_, it.spec));
  expect_ok(writer.write({planes, it.width, it.height, it.colour, tensor}, stream_));
  const std::vector<double> values = values_of(it.spec, download(tensor, it.spec.frame_bytes()));
  const std::vector<double> expected = values_of(it.spec, on_host(it, picture));
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], 1e-3) << i;
  expect_ok(peer->free(memory, peers_stream));
  expect_ok(peer->synchronize(peers_stream));
  peer->give_stream(peers_stream);
}

}  // namespace
}  // namespace nv12slot
