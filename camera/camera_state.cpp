// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camera_state.h"

#include <algorithm>

namespace nv12slot::camera {

using Action = CameraState::Action;

Action CameraState::start(TimePoint now, const CameraSettings& settings) {
  settings_ = settings;
  stats_ = CameraStats();
  started_ = now;
  last_frame_.reset();
  failures_ = 0;
  is_out_ = false;
  return connect(now);
}

Action CameraState::stop() {
  const bool was_connected = is_connected();
  status_ = Status::kStopped;
  return was_connected ? Action::kDisconnect : Action::kNone;
}

Action CameraState::connect(TimePoint now) {
  status_ = Status::kConnecting;
  attempt_started_ = now;
  ++stats_.attempts;
  return Action::kConnect;
}

void CameraState::look(const Seen& seen) {
  if (!seen.first_frame) return;
  if (status_ == Status::kConnecting) {
    status_ = Status::kPlaying;
    playing_since_ = *seen.first_frame;
    if (!stats_.time_to_first_frame) stats_.time_to_first_frame = *seen.first_frame - started_;
    if (is_out_ && last_frame_) {
      is_out_ = false;
      ++stats_.reconnects;
      stats_.last_outage = *seen.first_frame - *last_frame_;
      stats_.longest_outage = std::max(stats_.longest_outage, *stats_.last_outage);
    }
  }
  last_frame_ = seen.last_frame;
}

Action CameraState::fault(TimePoint now, const Seen& seen, Fault fault) {
  if (!is_connected()) return Action::kNone;
  look(seen);
  if (status_ == Status::kPlaying && now - playing_since_ >= settings_.healthy_time) failures_ = 0;
  ++stats_.faults[static_cast<std::size_t>(fault)];
  stats_.last_fault = fault;
  if (!is_out_ && last_frame_) {
    is_out_ = true;
    ++stats_.outages;
  }
  ++failures_;
  const unsigned most =
      settings_.max_attempts == 0 && !settings_.is_live ? 1U : settings_.max_attempts;
  if (most != 0 && failures_ >= most) {
    status_ = Status::kFailed;
    return Action::kGiveUp;
  }
  status_ = Status::kWaiting;
  retry_at_ = now + backoff_.wait(failures_, settings_.backoff_min, settings_.backoff_max);
  return Action::kDisconnect;
}

Action CameraState::end(TimePoint now, const Seen& seen) {
  if (!is_connected()) return Action::kNone;
  if (settings_.is_live) return fault(now, seen, Fault::kEnded);
  look(seen);
  // A file without a frame would loop as fast as the machine can.
  if (status_ != Status::kPlaying) return fault(now, seen, Fault::kNoVideo);
  if (settings_.loops) {
    ++stats_.loops;
    return connect(now);
  }
  status_ = Status::kStopped;
  return Action::kEnd;
}

std::optional<CameraState::Watch> CameraState::next_watch(const Seen& seen) const {
  std::optional<Watch> next;
  const auto consider = [&](Duration timeout, TimePoint since, Fault fault) {
    if (timeout > Duration::zero() && (!next || since + timeout < next->at)) {
      next = Watch{since + timeout, fault};
    }
  };
  if (!seen.last_packet) {
    consider(settings_.connect_timeout, attempt_started_, Fault::kConnectTimeout);
    return next;
  }
  // What downstream does not take is no fault of the camera's.
  if (!seen.is_held_back) {
    const TimePoint packet =
        seen.was_held_back ? std::max(*seen.last_packet, *seen.was_held_back) : *seen.last_packet;
    consider(settings_.packet_timeout, packet, Fault::kPacketTimeout);
  }
  if (!seen.is_blocked) {
    consider(settings_.frame_timeout, seen.last_frame.value_or(*seen.first_packet),
             Fault::kFrameTimeout);
  }
  return next;
}

Action CameraState::poll(TimePoint now, const Seen& seen) {
  if (status_ == Status::kWaiting) return now >= retry_at_ ? connect(now) : Action::kNone;
  if (!is_connected()) return Action::kNone;
  look(seen);
  const std::optional<Watch> watch = next_watch(seen);
  return watch && now >= watch->at ? fault(now, seen, watch->fault) : Action::kNone;
}

std::optional<TimePoint> CameraState::deadline(TimePoint now, const Seen& seen) const {
  if (status_ == Status::kWaiting) return retry_at_;
  if (!is_connected()) return std::nullopt;
  const std::optional<Watch> watch = next_watch(seen);
  if (!seen.is_blocked && !seen.is_held_back) {
    return watch ? std::optional(watch->at) : std::nullopt;
  }
  // Nobody tells when downstream goes on.
  constexpr Duration kLookAgain = std::chrono::seconds(1);
  return watch ? std::min(watch->at, now + kLookAgain) : now + kLookAgain;
}

Duration CameraState::retry_in(TimePoint now) const {
  return status_ == Status::kWaiting ? std::max(retry_at_ - now, Duration::zero())
                                     : Duration::zero();
}

}  // namespace nv12slot::camera
