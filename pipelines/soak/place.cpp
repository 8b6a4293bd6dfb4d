// SPDX-License-Identifier: LGPL-2.1-or-later
#include "place.h"

#include <algorithm>

namespace soak {

using nv12slot::MutexLock;

namespace {

constexpr std::size_t kMostErrors = 5;

double to_ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

Place::Place(CameraSetup setup, std::unique_ptr<Proxy> proxy, Seconds gap_limit, Now now,
             OnFrame on_frame)
    : setup_(std::move(setup)),
      proxy_(std::move(proxy)),
      now_(std::move(now)),
      on_frame_(std::move(on_frame)),
      health_(gap_limit) {
  record_.name = setup_.name;
}

unsigned Place::connection() const {
  return proxy_ != nullptr ? proxy_->connections() : lives_.load();
}

void Place::start() {
  lives_.fetch_add(1);
  camera_ = std::make_unique<Camera>(setup_, processing_,
                                     [this](GstBuffer* buffer) { on_frame(buffer); });
}

void Place::stop() {
  if (camera_ == nullptr) return;
  // The element may forget when it stops, and learns of abandoned connections only then.
  CameraCounts counts = camera_->counts();
  record_.slowest_stop_ms = std::max(record_.slowest_stop_ms, to_ms(camera_->stop()));
  counts.teardowns_abandoned =
      std::max(counts.teardowns_abandoned, camera_->counts().teardowns_abandoned);
  if (const std::string error = camera_->take_error();
      !error.empty() && record_.errors.size() < kMostErrors) {
    record_.errors.push_back(error);
  }
  camera_.reset();
  add(counts);
}

void Place::add(const CameraCounts& counts) {
  before_.reconnects += counts.reconnects;
  before_.outages += counts.outages;
  before_.dropped += counts.dropped;
  before_.decoders_opened += counts.decoders_opened;
  before_.decoders_reused += counts.decoders_reused;
  before_.teardowns_abandoned += counts.teardowns_abandoned;
}

CameraCounts Place::counts() {
  CameraCounts counts = before_;
  if (camera_ == nullptr) return counts;
  const CameraCounts now = camera_->counts();
  counts.status = now.status;
  counts.path = now.path;
  if (now.path != "none") paths_.insert(now.path);
  counts.reconnects += now.reconnects;
  counts.outages += now.outages;
  counts.dropped += now.dropped;
  counts.decoders_opened += now.decoders_opened;
  counts.decoders_reused += now.decoders_reused;
  counts.teardowns_abandoned += now.teardowns_abandoned;
  return counts;
}

void Place::on_frame(GstBuffer* buffer) {
  const Seconds now = now_();
  const bool is_good = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED);
  frames_.fetch_add(1);
  if (!is_good) corrupted_.fetch_add(1);
  health_.frame(now, is_good, connection());
  {
    MutexLock lock(mutex_);
    if (!first_frame_) first_frame_ = now;
    longest_gap_ = std::max(longest_gap_, now - last_frame_);
    last_frame_ = now;
  }
  on_frame_(buffer);
}

CameraSample Place::sample() {
  const Seconds now = now_();
  CameraSample sample;
  sample.at = now;
  const std::uint64_t frames = frames_.load();
  sample.frames = frames - frames_when_sampled_;
  frames_when_sampled_ = frames;
  const ProcessingTime::Figures figures = processing_.take();
  sample.processing_ms = figures.mean_ms;
  sample.processing_max_ms = figures.max_ms;
  {
    MutexLock lock(mutex_);
    sample.gap_ms = 1000 * std::max(longest_gap_, now - last_frame_);
    longest_gap_ = 0;
  }
  sample.reconnects = counts().reconnects;
  return sample;
}

std::string Place::take_error() {
  std::string error = camera_ != nullptr ? camera_->take_error() : "";
  if (!error.empty() && record_.errors.size() < kMostErrors) record_.errors.push_back(error);
  return error;
}

CameraRecord Place::record() {
  const CameraCounts now = counts();
  CameraRecord record = record_;
  record.frames = frames_.load();
  record.corrupted = corrupted_.load();
  record.paths = {paths_.begin(), paths_.end()};
  record.lives = lives_.load();
  record.reconnects = now.reconnects;
  record.outages = now.outages;
  record.dropped = now.dropped;
  record.teardowns_abandoned = now.teardowns_abandoned;
  {
    MutexLock lock(mutex_);
    record.first_frame = first_frame_;
  }
  const Health::Gaps gaps = health_.gaps();
  record.longest_gap_ms = 1000 * gaps.longest;
  record.longest_gap_at = gaps.longest_at;
  record.gaps_over_limit = gaps.over_limit;
  record.corrupted_outside = gaps.corrupted;
  return record;
}

}  // namespace soak
