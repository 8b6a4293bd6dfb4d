// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/quota.h"

namespace nv12slot {

bool Quota::charge(Domain domain) {
  std::atomic<unsigned>& used = used_[index(domain)];
  unsigned now = used.load(std::memory_order_relaxed);
  do {
    const unsigned limit = this->limit();
    if (limit != 0 && now >= limit) return false;
  } while (!used.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
  return true;
}

}  // namespace nv12slot
