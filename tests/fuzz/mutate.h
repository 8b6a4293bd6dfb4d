// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "seeds.h"

namespace nv12slot::fuzz {

/// Chance that is the same on every machine, which the distributions of the library are not.
class Chance {
 public:
  explicit Chance(std::uint32_t stream) {
    std::seed_seq sequence{0x6e763132u, stream};
    engine_.seed(sequence);
  }
  /// From 0 to `count` - 1; 0 for a count of 0.
  std::size_t below(std::size_t count) { return count == 0 ? 0 : engine_() % count; }
  /// True once in `times`.
  bool one_in(std::size_t times) { return below(times) == 0; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(engine_()); }
  template <typename T>
  const T& of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

 private:
  std::mt19937 engine_;
};

/// A damaged copy of `seed`: bits, bytes, NAL units and access units changed, lost, repeated, in
/// another order, or those of another of `all`.
[[nodiscard]] Packets mutate(const Seed& seed, const std::vector<Seed>& all, Chance& chance);

}  // namespace nv12slot::fuzz
