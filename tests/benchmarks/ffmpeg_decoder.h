// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "bars.h"
#include "nv12slot/device.h"
#include "stream.h"

namespace nv12slot::bench {

/// FFmpeg's NVDEC with nothing around it: a thread of its own decodes a stream over and over, as
/// fast as it goes, in the device's primary context and a CUDA stream of its own, and gives each
/// frame back at once. From construction to destruction; stream and device outlive it.
class FfmpegDecoder {
 public:
  /// With `completion`, each frame is waited for before it is given back, and the time that takes,
  /// in microseconds, goes there; read it once the decoder is gone.
  FfmpegDecoder(const Stream& stream, Device& device, Samples* completion = nullptr);
  ~FfmpegDecoder();
  FfmpegDecoder(const FfmpegDecoder&) = delete;
  FfmpegDecoder& operator=(const FfmpegDecoder&) = delete;

  /// Frames of the GPU so far. Any thread.
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  /// Blocks until there are so many; false if the decoder has failed, with the reason on standard
  /// error, or after 60 s.
  [[nodiscard]] bool wait_for(std::uint64_t frames) const;

 private:
  void run();

  const Stream& stream_;
  Device& device_;
  Samples* const completion_;
  std::atomic<std::uint64_t> frames_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace nv12slot::bench
