// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/source.h"

#include <algorithm>
#include <utility>

#include "source_state.h"

namespace nv12slot {

InFlight& InFlight::operator=(InFlight&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

InFlight::~InFlight() {
  if (state_ == nullptr) return;
  MutexLock lock(state_->mutex);
  --state_->stats.in_flight;
  state_->changed.notify_all();
}

const std::string& InFlight::source_name() const {
  return state_->name;
}

Source::Source(Clock& clock, std::string name, unsigned quota)
    : Source(clock, std::move(name), std::make_shared<Quota>(quota)) {}

Source::Source(Clock& clock, std::string name, std::shared_ptr<Quota> quota)
    : state_(std::make_shared<SourceState>(clock, std::move(name), std::move(quota))) {}

Source::~Source() {
  close();
}

const std::string& Source::name() const {
  return state_->name;
}

const std::shared_ptr<Quota>& Source::quota() const {
  return state_->quota;
}

Result<InFlight> Source::begin_frame() {
  MutexLock lock(state_->mutex);
  if (state_->refusing) {
    ++state_->stats.refused;
    return Error{Errc::kSourceClosed, "source " + state_->name + " takes no new frames"};
  }
  ++state_->stats.in_flight;
  return InFlight(state_);
}

void Source::refuse() {
  MutexLock lock(state_->mutex);
  state_->refusing = true;
}

bool Source::wait_until_idle(TimePoint deadline) {
  MutexLock lock(state_->mutex);
  while (state_->stats.in_flight > 0) {
    if (state_->clock.now() >= deadline) return false;
    state_->clock.wait_until(state_->changed, lock, deadline);
  }
  return true;
}

void Source::close() {
  const std::thread::id self = std::this_thread::get_id();
  MutexLock lock(state_->mutex);
  state_->refusing = true;
  state_->closed = true;
  using Call = SourceState::Call;
  std::vector<Call>& calls = state_->calling_back;
  bool from_callback = false;
  for (Call& call : calls) {
    if (call.thread != self) continue;
    call.is_closing = from_callback = true;
    state_->changed.notify_all();  // another callback's close() waits for this one no longer
  }
  while (std::any_of(calls.begin(), calls.end(), [&](const Call& call) {
    return call.thread != self && !(from_callback && call.is_closing);
  })) {
    state_->changed.wait(lock);
  }
  for (Call& call : calls) {
    if (call.thread == self) call.is_closing = false;
  }
}

SourceStats Source::stats() const {
  MutexLock lock(state_->mutex);
  return state_->stats;
}

}  // namespace nv12slot
