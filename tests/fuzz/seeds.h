// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ffmpeg.h"

namespace nv12slot::fuzz {

using Bytes = std::vector<std::uint8_t>;

/// One access unit.
struct Packet {
  Bytes bytes;
  GstClockTime pts = GST_CLOCK_TIME_NONE, dts = GST_CLOCK_TIME_NONE;
  bool is_delta = false;
};
using Packets = std::vector<Packet>;

/// A good stream: what damaged ones are made of.
struct Seed {
  std::string name;
  AVCodecID codec = AV_CODEC_ID_NONE;
  std::string caps;  // as the parser gives them
  Bytes codec_data;  // in the caps, for MPEG-2 and MPEG-4
  Packets packets;
  unsigned pictures = 0;
};

/// Damage may leave FFmpeg's decoder for it so that it takes nothing good either until it is made
/// anew: VP9 after a size that cannot be, which it then believes to have; MPEG-4 after headers with
/// what it does not implement, where good ones come in the caps only. About one stream in 10,000.
[[nodiscard]] constexpr bool may_get_stuck(AVCodecID codec) {
  return codec == AV_CODEC_ID_VP9 || codec == AV_CODEC_ID_MPEG4;
}

/// Damage may cost the first pictures after it too: H.265 of FFmpeg 7.1 refuses a key picture while
/// one of the same order count is still to be shown. After a flush there is none.
[[nodiscard]] constexpr bool may_lose_first(AVCodecID codec) {
  return codec == AV_CODEC_ID_HEVC;
}

/// A few small streams of every codec that this machine encodes; encoded at the first call.
[[nodiscard]] const std::vector<Seed>& seeds();
/// Names of those that it does not, with the element that is missing.
[[nodiscard]] const std::vector<std::string>& missing_seeds();

}  // namespace nv12slot::fuzz
