// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fault_runner.h"

#include <algorithm>

namespace soak {

FaultRunner::FaultRunner(std::vector<Fault> schedule, unsigned cameras, Seconds limit,
                         FaultTarget& target)
    : schedule_(std::move(schedule)), limit_(limit), target_(target), given_up_(cameras) {}

std::vector<int> FaultRunner::cameras_of(const Fault& fault) const {
  std::vector<int> cameras;
  for (int i = 0; i < static_cast<int>(given_up_.size()); ++i) {
    if (given_up_[static_cast<unsigned>(i)]) continue;
    if (fault.camera == i || fault.camera == kAllCameras) cameras.push_back(i);
  }
  return cameras;
}

bool FaultRunner::is_open(int camera) const {
  return std::any_of(open_.begin(), open_.end(), [&](const Open& open) {
    return open.fault.camera == camera || open.fault.camera == kAllCameras;
  });
}

bool FaultRunner::has_open() const {
  return !open_.empty();
}

void FaultRunner::tick(Seconds now) {
  for (Open& open : open_) see_to(open, now);
  std::erase_if(open_, [](const Open& open) { return open.is_over; });
  begin_due(now);
}

void FaultRunner::see_to(Open& open, Seconds now) {
  FaultRecord& record = records_[open.record];
  if (!record.lifted) {
    record.lifted = target_.lift(open.fault, record.begun);
    if (!record.lifted) return;
  }
  std::erase_if(open.waiting, [&](int camera) {
    if (const std::optional<Seconds> when = target_.recovered(camera)) {
      open.last = std::max(open.last, *when);
      return true;
    }
    if (now - *record.lifted <= limit_) return false;
    record.given_up = true;
    given_up_[static_cast<unsigned>(camera)] = true;
    return true;
  });
  open.is_over = open.waiting.empty();
  if (open.is_over && !record.given_up) record.recovered = std::max(open.last, *record.lifted);
}

bool FaultRunner::are_well(const std::vector<int>& cameras, Seconds now) {
  const auto is_well = [&](int camera) { return target_.recovered(camera).has_value(); };
  if (std::all_of(cameras.begin(), cameras.end(), is_well)) {
    waiting_since_.reset();
    return true;
  }
  // No fault is open of them: they are still being made, or will never be.
  if (!waiting_since_) waiting_since_ = now;
  if (now - *waiting_since_ > limit_) {
    waiting_since_.reset();
    for (const int camera : cameras) {
      if (!is_well(camera)) given_up_[static_cast<unsigned>(camera)] = true;
    }
  }
  return false;
}

void FaultRunner::begin_due(Seconds now) {
  while (next_ < schedule_.size() && schedule_[next_].at <= now) {
    const Fault fault = schedule_[next_];
    std::vector<int> cameras = cameras_of(fault);
    if (cameras.empty()) {  // all were given up
      ++next_;
      continue;
    }
    if (fault.camera == kAllCameras ? has_open() : is_open(fault.camera)) return;
    if (!are_well(cameras, now)) return;
    ++next_;
    FaultRecord record;
    record.kind = to_string(fault.kind);
    record.camera = fault.camera;
    record.begun = now;
    records_.push_back(record);
    target_.begin(fault);
    open_.push_back({fault, records_.size() - 1, std::move(cameras)});
  }
}

}  // namespace soak
