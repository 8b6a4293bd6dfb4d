// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/clock.h"

namespace nv12slot {
namespace {

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return std::chrono::steady_clock::now(); }
  void wait_until(CondVar& cond, MutexLock& lock, TimePoint until) override {
    cond.wait_until(lock, until);
  }
};

}  // namespace

Clock& steady_clock() {
  // Not destroyed at exit: threads of the library may still look at it then.
  static Clock& clock = *new SteadyClock;
  return clock;
}

}  // namespace nv12slot
