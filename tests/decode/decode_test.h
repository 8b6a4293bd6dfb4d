// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "decoder.h"
#include "encode.h"
#include "nv12slot/cuda_device.h"
#include "standin_control.h"

namespace nv12slot::decode {

#define NEEDS_STANDIN() \
  if (!standin::control().present()) GTEST_SKIP() << "needs the stand-in driver"

// Numbers of cuda.h, which a build without CUDA has not.
inline constexpr int kCudaInvalidValue = 1;
inline constexpr int kCudaOutOfMemory = 2;
inline constexpr int kCudaIllegalAddress = 700;

/// Whether `condition` comes true; false after what is an eternity here.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A picture that was received, as the test keeps it.
struct Shown {
  std::int64_t number = 0;
  int width = 0, height = 0;
  int format = AV_PIX_FMT_NONE;
  /// NV12 of a device: Y then UV, without padding. Software: the first byte of Y.
  std::vector<std::uint8_t> samples;
};

/// Pictures of a stream as they come out. With the stand-in it ends with nothing left open.
class DecodeTest : public testing::Test {
 protected:
  DecodeTest() {
    if (standin_.present()) standin_.reset();
  }
  ~DecodeTest() override {
    if (!standin_.present()) return;
    EXPECT_EQ(standin_.live_decoders(-1), 0u);
    EXPECT_EQ(standin_.hazards(), 0u) << standin_.last_hazard();
    standin_.reset();
  }

  /// Devices live for ever.
  static Device& device(int ordinal = 0) {
    static Device* devices[2] = {};
    Device*& found = devices[ordinal];
    if (found == nullptr) found = open_cuda_device(ordinal).value().release();
    return *found;
  }

  static DecoderSpec on_nvdec(AVCodecID codec = AV_CODEC_ID_H264) {
    return {.codec = codec, .path = Path::kNvdec, .device = &device()};
  }
  static DecoderSpec in_software(AVCodecID codec = AV_CODEC_ID_H264) {
    return {.codec = codec, .path = Path::kSoftware};
  }
  static std::unique_ptr<Decoder> open(DecoderSpec spec) {
    Result<std::unique_ptr<Decoder>> opened = Decoder::open(std::move(spec));
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(opened).value();
  }

  /// What `frame` shows, copied in the decoder's stream (nullptr: software).
  static Shown show(const AVFrame& frame, StreamHandle stream) {
    Shown shown{frame.pts, frame.width, frame.height, frame.format, {}};
    if (frame.format != AV_PIX_FMT_CUDA) {
      shown.samples.push_back(frame.data[0][0]);
      return shown;
    }
    const auto width = static_cast<std::uint32_t>(frame.width);
    const auto height = static_cast<std::uint32_t>(frame.height);
    shown.samples.resize(std::size_t{width} * height * 3 / 2);
    const auto to = reinterpret_cast<std::uintptr_t>(shown.samples.data());
    const auto pitch = [&](int plane) { return static_cast<std::size_t>(frame.linesize[plane]); };
    EXPECT_TRUE(device().copy({to, to + std::size_t{width} * height, width, width}, kHostDomain,
                              {reinterpret_cast<std::uintptr_t>(frame.data[0]),
                               reinterpret_cast<std::uintptr_t>(frame.data[1]), pitch(0), pitch(1)},
                              0, width, height, stream));
    EXPECT_TRUE(device().synchronize(stream));
    return shown;
  }

  /// Whether it is the `picture`-th that the stand-in's decoder was given.
  static testing::AssertionResult is_standin_picture(const Shown& shown, std::uint32_t picture) {
    if (shown.format != AV_PIX_FMT_CUDA) return testing::AssertionFailure() << "not of a device";
    const auto width = static_cast<std::uint32_t>(shown.width);
    const auto height = static_cast<std::uint32_t>(shown.height);
    for (std::uint32_t row = 0; row < height * 3 / 2; ++row) {
      for (std::uint32_t x = 0; x < width; ++x) {
        const std::uint8_t expected =
            row < height ? standin_luma(picture, x, row) : standin_chroma(picture, x, row - height);
        if (shown.samples[std::size_t{row} * width + x] != expected) {
          return testing::AssertionFailure()
                 << "row " << row << ", byte " << x << " is not of picture " << picture;
        }
      }
    }
    return testing::AssertionSuccess();
  }

  /// Whether it is the flat picture of that level, about.
  static testing::AssertionResult is_level(const Shown& shown, int expected) {
    if (shown.format == AV_PIX_FMT_CUDA) return testing::AssertionFailure() << "of a device";
    const int found = shown.samples[0];
    if (std::abs(found - expected) <= 3) return testing::AssertionSuccess();
    return testing::AssertionFailure() << found << " instead of " << expected;
  }

  static StreamHandle stream_of(const Decoder& decoder) { return decoder.stream(); }
  template <typename StreamDecoder>
  static StreamHandle stream_of(const StreamDecoder& decoder) {
    return decoder.decoder() != nullptr ? decoder.decoder()->stream() : nullptr;
  }

  /// Receives until there is nothing, which is returned. Frames are freed at once.
  template <typename Any>
  static Step receive_all(Any& decoder, std::vector<Shown>& shown) {
    for (;;) {
      FramePtr frame;
      const Step step = decoder.receive(frame);
      if (step != Step::kFrame) return step;
      shown.push_back(show(*frame, stream_of(decoder)));
    }
  }
  /// Sends units, the first with the number `first`.
  template <typename Any>
  static void send_all(Any& decoder, const std::vector<Unit>& units, std::vector<Shown>& shown,
                       std::int64_t first = 0) {
    for (std::size_t i = 0; i < units.size(); ++i) {
      ASSERT_EQ(decoder.send(units[i].data, first + static_cast<std::int64_t>(i)), Step::kDone)
          << "unit " << i << ": " << decoder.why();
      ASSERT_EQ(receive_all(decoder, shown), Step::kAgain) << "unit " << i;
    }
  }
  /// The same, with all that is left at the end.
  template <typename Any>
  static std::vector<Shown> play(Any& decoder, const std::vector<Unit>& units,
                                 std::int64_t first = 0) {
    std::vector<Shown> shown;
    send_all(decoder, units, shown, first);
    EXPECT_EQ(decoder.send_end(), Step::kDone);
    EXPECT_EQ(receive_all(decoder, shown), Step::kEnd);
    return shown;
  }

  const standin::Control& standin_ = standin::control();
};

}  // namespace nv12slot::decode
