// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "ffmpeg.h"

namespace nv12slot::decode {

/// The parameter sets that describe the format (SPS, and VPS of H.265) at the head of an access
/// unit of an H.264 or H.265 byte stream, one after the other as they are; empty if there are none,
/// or for another codec. Reads up to the first slice only.
[[nodiscard]] std::string parameter_sets(AVCodecID codec,
                                         std::span<const std::uint8_t> access_unit);

/// Whether the first slice of an H.264 access unit is one of an IDR picture, which refers to
/// nothing before it.
[[nodiscard]] bool is_idr(std::span<const std::uint8_t> access_unit);

}  // namespace nv12slot::decode
