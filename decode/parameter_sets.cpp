// SPDX-License-Identifier: LGPL-2.1-or-later
#include "parameter_sets.h"

#include <string_view>

namespace nv12slot::decode {
namespace {

enum class NalUnit { kFormat, kSlice, kOther };

// Rec. ITU-T H.264, table 7-1; H.265, table 7-1.
NalUnit kind_of(AVCodecID codec, std::uint8_t header) {
  if (codec == AV_CODEC_ID_H264) {
    const unsigned type = header & 0x1f;
    if (type == 7) return NalUnit::kFormat;  // sequence parameter set
    return type >= 1 && type <= 5 ? NalUnit::kSlice : NalUnit::kOther;
  }
  const unsigned type = (header >> 1) & 0x3f;
  if (type == 32 || type == 33) return NalUnit::kFormat;  // video and sequence parameter set
  return type < 32 ? NalUnit::kSlice : NalUnit::kOther;
}

/// Where the next start code (0, 0, 1) begins, from `at` on; data.size() if there is none.
std::size_t find_start_code(std::span<const std::uint8_t> data, std::size_t at) {
  for (; at + 3 <= data.size(); ++at) {
    if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1) return at;
  }
  return data.size();
}

/// RFC 6386, 9.1: a frame tag of three bytes, of which the first bit is 0 for a key frame, a start
/// code, and two sides of 14 bits. The two bits above each are of no matter to a decoder.
std::string vp8_size(std::span<const std::uint8_t> frame) {
  if (frame.size() < 10 || (frame[0] & 1) != 0) return {};
  if (frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a) return {};
  std::string size;
  for (const int byte : {frame[6] & 0xff, frame[7] & 0x3f, frame[8] & 0xff, frame[9] & 0x3f}) {
    size.push_back(static_cast<char>(byte));
  }
  return size;
}

}  // namespace

std::string parameter_sets(AVCodecID codec, std::span<const std::uint8_t> access_unit) {
  if (codec == AV_CODEC_ID_VP8) return vp8_size(access_unit);
  std::string sets;
  if (codec != AV_CODEC_ID_H264 && codec != AV_CODEC_ID_HEVC) return sets;
  // Streams have up to 32, and each may come twice. To look for each among all before it would take
  // minutes where a hostile camera sends as many as an access unit has room for.
  constexpr unsigned kMostLookedFor = 64;
  unsigned looked_for = 0;
  std::size_t at = find_start_code(access_unit, 0);
  while (at + 3 < access_unit.size()) {
    const std::size_t unit = at + 3;
    const NalUnit kind = kind_of(codec, access_unit[unit]);
    if (kind == NalUnit::kSlice) break;
    at = find_start_code(access_unit, unit);
    if (kind != NalUnit::kFormat) continue;
    // Zeros before a start code belong to it, or pad.
    std::size_t end = at;
    while (end > unit && access_unit[end - 1] == 0) --end;
    // Parsers insert sets that the stream may have again.
    const std::string_view set(reinterpret_cast<const char*>(access_unit.data()) + unit,
                               end - unit);
    if (++looked_for > kMostLookedFor || sets.find(set) == std::string::npos) sets.append(set);
  }
  return sets;
}

bool is_idr(std::span<const std::uint8_t> access_unit) {
  std::size_t at = find_start_code(access_unit, 0);
  while (at + 3 < access_unit.size()) {
    const std::uint8_t header = access_unit[at + 3];
    if (kind_of(AV_CODEC_ID_H264, header) == NalUnit::kSlice) return (header & 0x1f) == 5;
    at = find_start_code(access_unit, at + 3);
  }
  return false;
}

}  // namespace nv12slot::decode
