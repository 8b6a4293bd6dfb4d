// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "ffmpeg.h"

namespace nv12slot::decode {

/// What libavcodec is to encode.
struct Encoding {
  const char* encoder = "libx264";
  int width = 64, height = 64, pictures = 10;
  AVPixelFormat pixels = AV_PIX_FMT_YUV420P;
  /// Of the encoder: "name=value,name=value".
  const char* options = "preset=ultrafast,tune=zerolatency";
  bool global_header = false;  ///< parameter sets in `extradata` instead of the stream
  /// Added to the picture's number for level().
  int first_level = 0;
  /// A pattern that moves instead of flat pictures: every bit of a sample counts.
  bool textured = false;
  bool top_field_first = false;  ///< of an encoder that was told to interlace
};

struct Unit {
  std::vector<std::uint8_t> data;
  std::int64_t pts = 0;  ///< place in display order
  bool is_key = false;
};

struct Encoded {
  std::vector<Unit> units;  ///< in decoding order; empty where something failed
  std::vector<std::uint8_t> extradata;
};

[[nodiscard]] inline bool has_encoder(const char* name) {
  return avcodec_find_encoder_by_name(name) != nullptr;
}

/// Encodes flat pictures, where they are not textured; all samples of Y of the n-th are level(n).
[[nodiscard]] Encoded encode_all(const Encoding& what);
[[nodiscard]] inline std::vector<Unit> encode(const Encoding& what) {
  return encode_all(what).units;
}
[[nodiscard]] constexpr int level(std::int64_t picture) {
  return static_cast<int>(40 + 10 * (picture % 16));
}

#define NEEDS_ENCODER(name) \
  if (!::nv12slot::decode::has_encoder(name)) GTEST_SKIP() << "this FFmpeg has no encoder " << name

}  // namespace nv12slot::decode
