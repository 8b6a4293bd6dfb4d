// SPDX-License-Identifier: LGPL-2.1-or-later
#include "health.h"

#include <algorithm>

namespace soak {

using nv12slot::MutexLock;

Health::Health(Seconds gap_limit, Seconds now) : gap_limit_(gap_limit), lifted_(now) {}

void Health::frame(Seconds now, bool good, unsigned connection) {
  MutexLock lock(mutex_);
  const std::optional<Seconds> before = last_frame_;
  last_frame_ = now;
  if (!faulted_) {
    if (before) note_gap(*before, now);
    if (!good && counting_since_) ++gaps_.corrupted;
    return;
  }
  if (!good || !lifted_ || connection < connection_) {
    row_since_.reset();
    return;
  }
  if (!row_since_ || !before || now - *before > gap_limit_) row_since_ = now;
  if (now - *row_since_ < kSettle) return;
  faulted_ = false;
  recovered_ = row_since_;
}

void Health::begin_fault(Seconds now, unsigned connection) {
  MutexLock lock(mutex_);
  if (!faulted_ && last_frame_) note_gap(*last_frame_, now);
  faulted_ = true;
  connection_ = connection;
  lifted_.reset();
  row_since_.reset();
  recovered_.reset();
}

void Health::lift_fault(Seconds now) {
  MutexLock lock(mutex_);
  lifted_ = now;
}

std::optional<Seconds> Health::recovered() const {
  MutexLock lock(mutex_);
  return recovered_;
}

void Health::start_counting(Seconds now) {
  MutexLock lock(mutex_);
  counting_since_ = now;
}

void Health::finish(Seconds now) {
  MutexLock lock(mutex_);
  if (!faulted_ && last_frame_) note_gap(*last_frame_, now);
  counting_since_.reset();
}

Health::Gaps Health::gaps() const {
  MutexLock lock(mutex_);
  return gaps_;
}

void Health::note_gap(Seconds from, Seconds to) {
  if (!counting_since_) return;
  const Seconds gap = to - std::max(from, *counting_since_);
  if (gap > gap_limit_) ++gaps_.over_limit;
  if (gap <= gaps_.longest) return;
  gaps_.longest = gap;
  gaps_.longest_at = from;
}

}  // namespace soak
