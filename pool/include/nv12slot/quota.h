// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <atomic>

#include "nv12slot/device.h"

namespace nv12slot {

/// How many slots of each domain one source has, from acquire until the slot is FREE again
/// (cooling included: a fast source would otherwise hold every slot in COOLING). Shared by the
/// source and by the slots it was charged for. Any thread.
class Quota {
 public:
  /// `limit` slots a domain at most; 0: no limit, only counted.
  explicit Quota(unsigned limit = 0) : limit_(limit) {}

  void set_limit(unsigned limit) { limit_.store(limit, std::memory_order_relaxed); }
  [[nodiscard]] unsigned limit() const { return limit_.load(std::memory_order_relaxed); }
  [[nodiscard]] unsigned used(Domain domain) const {
    return used_[index(domain)].load(std::memory_order_relaxed);
  }

  /// Charges one slot unless the limit is reached.
  [[nodiscard]] bool charge(Domain domain);
  void refund(Domain domain) { used_[index(domain)].fetch_sub(1, std::memory_order_relaxed); }

 private:
  static std::size_t index(Domain domain) { return static_cast<std::size_t>(domain + 1); }

  std::atomic<unsigned> limit_;
  std::array<std::atomic<unsigned>, kMaxDomains> used_{};
};

}  // namespace nv12slot
