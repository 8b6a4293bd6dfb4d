// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fault.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace soak {
namespace {

/// Deals what it was given, round by round, shuffled anew for each. By hand, as std::shuffle and
/// the distributions differ between standard libraries, and a seed should not.
template <typename T>
class Deck {
 public:
  Deck(std::vector<T> cards, std::mt19937& random) : cards_(std::move(cards)), random_(random) {}

  T deal() {
    if (next_ == 0) {
      for (std::size_t i = cards_.size(); i > 1; --i)
        std::swap(cards_[i - 1], cards_[random_() % i]);
      next_ = cards_.size();
    }
    return cards_[--next_];
  }

 private:
  std::vector<T> cards_;
  std::mt19937& random_;
  std::size_t next_ = 0;
};

}  // namespace

const char* to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::kCut:
      return "cut";
    case FaultKind::kReset:
      return "reset";
    case FaultKind::kStall:
      return "stall";
    case FaultKind::kFlip:
      return "flip";
    case FaultKind::kKill:
      return "kill";
    case FaultKind::kRecreate:
      return "recreate";
  }
  return "?";
}

std::optional<FaultKind> fault_kind(std::string_view word) {
  for (const FaultKind kind : kAllFaults) {
    if (word == to_string(kind)) return kind;
  }
  return std::nullopt;
}

std::vector<Fault> make_schedule(const ScheduleSettings& settings) {
  std::vector<Fault> schedule;
  if (settings.kinds.empty() || settings.cameras == 0) return schedule;
  std::mt19937 random(settings.seed);
  std::vector<int> cameras(settings.cameras);
  std::iota(cameras.begin(), cameras.end(), 0);
  Deck<FaultKind> kinds(settings.kinds, random);
  Deck<int> victims(std::move(cameras), random);
  // Off the beat by up to a quarter each way, so that no fault is always at the same point of a
  // second.
  for (unsigned i = 0;; ++i) {
    const double jitter = static_cast<double>(random() % 1001) / 1000 - 0.5;
    const Seconds at = settings.begin + settings.every * (i + 0.25 + jitter / 2);
    if (at >= settings.end) return schedule;
    const FaultKind kind = kinds.deal();
    schedule.push_back({at, kind, kind == FaultKind::kKill ? kAllCameras : victims.deal()});
  }
}

}  // namespace soak
