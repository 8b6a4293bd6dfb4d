// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mutate.h"

#include <algorithm>
#include <utility>

namespace nv12slot::fuzz {
namespace {

/// Headers lie at the front, and most of what can go wrong lies in them.
std::size_t position(const Bytes& bytes, Chance& chance) {
  return chance.below(chance.one_in(2) ? std::min<std::size_t>(bytes.size(), 64) : bytes.size());
}

void change_bits(Bytes& bytes, Chance& chance) {
  if (bytes.empty()) return;
  for (std::size_t i = 1 + chance.below(8); i > 0; --i) {
    bytes[position(bytes, chance)] ^= static_cast<std::uint8_t>(1u << chance.below(8));
  }
}

void overwrite(Bytes& bytes, Chance& chance) {
  static const std::vector<std::uint8_t> kValues{0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
  if (bytes.empty()) return;
  const std::size_t at = position(bytes, chance);
  const std::size_t count = std::min(bytes.size() - at, std::size_t{1} << chance.below(5));
  const bool is_random = chance.one_in(2);
  const std::uint8_t value = chance.of(kValues);
  for (std::size_t i = 0; i < count; ++i) bytes[at + i] = is_random ? chance.byte() : value;
}

void cut_out(Bytes& bytes, Chance& chance) {
  if (bytes.empty()) return;
  const std::size_t from = position(bytes, chance);
  const std::size_t most = bytes.size() - from;
  const std::size_t count =
      1 + chance.below(chance.one_in(4) ? most : std::min<std::size_t>(most, 4));
  const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(from);
  bytes.erase(at, at + static_cast<std::ptrdiff_t>(count));
}

void truncate(Bytes& bytes, Chance& chance) {
  bytes.resize(chance.below(bytes.size() + 1));
}

void insert(Bytes& bytes, Bytes piece, Chance& chance) {
  const auto at = static_cast<std::ptrdiff_t>(position(bytes, chance));
  bytes.insert(bytes.begin() + at, piece.begin(), piece.end());
}

Bytes piece_of(const Bytes& bytes, Chance& chance) {
  if (bytes.empty()) return {};
  const std::size_t from = chance.below(bytes.size());
  const std::size_t count = 1 + chance.below(bytes.size() - from);
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from),
          bytes.begin() + static_cast<std::ptrdiff_t>(from + count)};
}

Bytes noise(Chance& chance) {
  Bytes bytes(1 + chance.below(32));
  for (std::uint8_t& byte : bytes) byte = chance.byte();
  if (chance.one_in(2)) bytes.insert(bytes.begin(), {0, 0, 1});
  return bytes;
}

void change_bytes(Bytes& bytes, const Bytes& other, Chance& chance) {
  switch (chance.below(8)) {
    case 0:
    case 1:
    case 2:
      return change_bits(bytes, chance);
    case 3:
      return overwrite(bytes, chance);
    case 4:
      return cut_out(bytes, chance);
    case 5:
      return truncate(bytes, chance);
    case 6:
      return insert(bytes, noise(chance), chance);
    default:
      return insert(bytes, piece_of(other, chance), chance);
  }
}

// ---- NAL units of H.264 and H.265, OBUs and markers of others by chance ------------------------

/// Cut before each start code.
std::vector<Bytes> split(const Bytes& bytes) {
  std::vector<Bytes> units(1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool starts =
        i + 3 <= bytes.size() && bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1;
    if (starts && !units.back().empty()) units.emplace_back();
    units.back().push_back(bytes[i]);
  }
  return units;
}

Bytes join(const std::vector<Bytes>& units) {
  Bytes bytes;
  for (const Bytes& unit : units) bytes.insert(bytes.end(), unit.begin(), unit.end());
  return bytes;
}

bool is_parameter_set(AVCodecID codec, const Bytes& unit) {
  if (unit.size() < 4) return false;
  const unsigned h264 = unit[3] & 0x1f;
  const unsigned h265 = unit[3] >> 1 & 0x3f;
  return codec == AV_CODEC_ID_H264 ? h264 == 7 || h264 == 8 : h265 >= 32 && h265 <= 34;
}

void change_units(Packet& packet, const Packet& other, Chance& chance) {
  std::vector<Bytes> units = split(packet.bytes);
  const std::size_t at = chance.below(units.size());
  const auto here = units.begin() + static_cast<std::ptrdiff_t>(at);
  switch (chance.below(5)) {
    case 0:
      units.erase(here);
      break;
    case 1:
      units.insert(here, Bytes(units[at]));
      break;
    case 2:
      std::swap(units[at], units[chance.below(units.size())]);
      break;
    case 3:
      units.insert(here, chance.of(split(other.bytes)));
      break;
    default:
      change_bytes(units[at], other.bytes, chance);
      break;
  }
  packet.bytes = join(units);
}

/// The pictures of one stream with the parameter sets of another, or with both.
void swap_parameter_sets(Packets& packets, const Seed& seed, const Seed& donor, Chance& chance) {
  std::vector<Bytes> sets;
  for (const Packet& packet : donor.packets) {
    for (Bytes& unit : split(packet.bytes)) {
      if (is_parameter_set(donor.codec, unit)) sets.push_back(std::move(unit));
    }
  }
  if (sets.empty()) return;
  const bool keeps_both = chance.one_in(2);
  const bool is_damaged = chance.one_in(2);
  for (Packet& packet : packets) {
    std::vector<Bytes> changed;
    for (const Bytes& unit : split(packet.bytes)) {
      const bool is_set = is_parameter_set(seed.codec, unit);
      if (!is_set || keeps_both) changed.push_back(unit);
      if (!is_set) continue;
      Bytes& from_donor = changed.emplace_back(chance.of(sets));
      if (is_damaged) change_bits(from_donor, chance);  // another id, another size
    }
    packet.bytes = join(changed);
  }
}

// ---- Access units -------------------------------------------------------------------------------

void change_order(Packets& packets, const Seed& donor, Chance& chance) {
  const std::size_t at = chance.below(packets.size());
  const auto here = packets.begin() + static_cast<std::ptrdiff_t>(at);
  switch (chance.below(6)) {
    case 0:
      packets.erase(packets.begin());  // the key frame
      break;
    case 1:
      packets.erase(here);
      break;
    case 2:
      packets.insert(here, Packet(packets[at]));
      break;
    case 3:
      std::swap(packets[at], packets[chance.below(packets.size())]);
      break;
    case 4:
      packets.insert(here, chance.of(donor.packets));
      break;
    default: {  // two in one
      const Bytes& next = packets[(at + 1) % packets.size()].bytes;
      packets[at].bytes.insert(packets[at].bytes.end(), next.begin(), next.end());
      break;
    }
  }
}

void change_times(Packets& packets, Chance& chance) {
  for (Packet& packet : packets) {
    if (chance.one_in(3))
      packet.pts = chance.one_in(2) ? GST_CLOCK_TIME_NONE : chance.below(1u << 30);
    if (chance.one_in(3))
      packet.dts = chance.one_in(2) ? GST_CLOCK_TIME_NONE : chance.below(1u << 30);
    if (chance.one_in(3)) packet.is_delta = !packet.is_delta;
  }
}

const Seed& donor_for(const Seed& seed, const std::vector<Seed>& all, Chance& chance) {
  std::vector<const Seed*> same;
  for (const Seed& other : all) {
    if (other.codec == seed.codec && &other != &seed) same.push_back(&other);
  }
  return same.empty() || chance.one_in(8) ? chance.of(all) : *chance.of(same);
}

}  // namespace

Packets mutate(const Seed& seed, const std::vector<Seed>& all, Chance& chance) {
  Packets packets = seed.packets;
  const bool has_units = seed.codec == AV_CODEC_ID_H264 || seed.codec == AV_CODEC_ID_HEVC;
  for (std::size_t i = 1 + chance.below(4); i > 0 && !packets.empty(); --i) {
    const Seed& donor = donor_for(seed, all, chance);
    Packet& packet = packets[chance.below(packets.size())];
    switch (chance.below(8)) {
      case 0:
      case 1:
        change_order(packets, donor, chance);
        break;
      case 2:
        if (has_units && donor.codec == seed.codec) {
          swap_parameter_sets(packets, seed, donor, chance);
          break;
        }
        [[fallthrough]];
      case 3:
      case 4:
        change_units(packet, chance.of(donor.packets), chance);
        break;
      case 5:
        change_times(packets, chance);
        [[fallthrough]];
      default:
        change_bytes(packet.bytes, chance.of(donor.packets).bytes, chance);
        break;
    }
  }
  return packets;
}

}  // namespace nv12slot::fuzz
