// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "ffmpeg.h"

namespace nv12slot::decode {

/// What describes the format at the head of an access unit: the parameter sets of an H.264 or H.265
/// byte stream (SPS, and VPS of H.265), one after the other as they are; the size in a key frame of
/// VP8, of which FFmpeg 5.1 does not open NVDEC anew when it changes. Empty if there is none, or
/// for another codec. Reads up to the first slice only.
[[nodiscard]] std::string parameter_sets(AVCodecID codec,
                                         std::span<const std::uint8_t> access_unit);

/// Whether the first slice of an H.264 access unit is one of an IDR picture, which refers to
/// nothing before it.
[[nodiscard]] bool is_idr(std::span<const std::uint8_t> access_unit);

}  // namespace nv12slot::decode
