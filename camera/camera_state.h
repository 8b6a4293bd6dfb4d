// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "backoff.h"
#include "fault.h"
#include "nv12slot/clock.h"

namespace nv12slot::camera {

enum class Status { kStopped, kConnecting, kPlaying, kWaiting, kFailed };

/// Times of 0 switch a watchdog off.
struct CameraSettings {
  bool is_live = true;  ///< its end is a fault; else it is a file
  bool loops = false;   ///< a file begins again at its end
  Duration connect_timeout = std::chrono::seconds(10);
  Duration packet_timeout = std::chrono::seconds(5);
  Duration frame_timeout = std::chrono::seconds(10);
  Duration backoff_min = std::chrono::milliseconds(500);
  Duration backoff_max = std::chrono::seconds(30);
  /// A camera that played this long starts again with the first, immediate try.
  Duration healthy_time = std::chrono::seconds(10);
  unsigned max_attempts = 0;  ///< that fail in a row; 0: any number if live, one if not
};

/// What was seen of the connection at hand.
struct Seen {
  std::optional<TimePoint> first_packet, last_packet;
  bool is_held_back = false;               ///< no packet can come, as none is taken
  std::optional<TimePoint> was_held_back;  ///< until then
  std::optional<TimePoint> first_frame;    ///< decoded and given on
  std::optional<TimePoint> last_frame;     ///< downstream had taken it
  bool is_blocked = false;                 ///< downstream is taking one, and takes its time
};

struct CameraStats {
  std::uint64_t attempts = 0;
  std::uint64_t outages = 0;     ///< faults of a camera that had played
  std::uint64_t reconnects = 0;  ///< outages that are over
  std::uint64_t loops = 0;
  std::array<std::uint64_t, kFaults> faults{};
  Fault last_fault = Fault::kNone;
  /// From the last good frame before to the first one after.
  std::optional<Duration> last_outage;
  Duration longest_outage{};
  std::optional<Duration> time_to_first_frame;  ///< since start()
};

/// The states of one camera, and the only place that decides when to connect, when to give a
/// connection up, and how long to wait. Knows times and what was seen, nothing of GStreamer, and
/// does nothing itself: each call returns what is to be done.
///
///     kStopped -start-> kConnecting -frame-> kPlaying
///                          ^   \               |
///                          |    `----fault-----+----> kWaiting, or kFailed after max_attempts
///                          `---------retry time------ kWaiting
///
/// Not thread-safe. Times are of one clock and never go back.
class CameraState {
 public:
  enum class Action {
    kNone,
    kConnect,     ///< open a new connection; an old one is done with
    kDisconnect,  ///< give the connection up
    kGiveUp,      ///< give it up for good and tell the user
    kEnd,         ///< a file is over
  };

  explicit CameraState(std::uint64_t seed) : backoff_(seed) {}

  [[nodiscard]] Action start(TimePoint now, const CameraSettings& settings);
  [[nodiscard]] Action stop();
  /// Does nothing while there is no connection.
  [[nodiscard]] Action fault(TimePoint now, const Seen& seen, Fault fault);
  /// The connection ended as files do.
  [[nodiscard]] Action end(TimePoint now, const Seen& seen);
  /// To be called at deadline() and whenever a first frame was seen.
  [[nodiscard]] Action poll(TimePoint now, const Seen& seen);
  /// When the next poll() may have something to do; none if nothing can happen by itself.
  [[nodiscard]] std::optional<TimePoint> deadline(TimePoint now, const Seen& seen) const;

  [[nodiscard]] Status status() const { return status_; }
  [[nodiscard]] const CameraStats& stats() const { return stats_; }
  /// Since the last healthy time; the first one is 1.
  [[nodiscard]] unsigned attempt() const { return failures_ + 1; }
  /// While kWaiting.
  [[nodiscard]] Duration retry_in(TimePoint now) const;

 private:
  struct Watch {
    TimePoint at;
    Fault fault;
  };

  [[nodiscard]] bool is_connected() const {
    return status_ == Status::kConnecting || status_ == Status::kPlaying;
  }
  [[nodiscard]] std::optional<Watch> next_watch(const Seen& seen) const;
  void look(const Seen& seen);
  Action connect(TimePoint now);

  Backoff backoff_;
  CameraSettings settings_;
  Status status_ = Status::kStopped;
  CameraStats stats_;
  TimePoint started_, attempt_started_, playing_since_, retry_at_;
  std::optional<TimePoint> last_frame_;  // of any connection since start()
  unsigned failures_ = 0;
  bool is_out_ = false;  // had played, and no frame came since
};

}  // namespace nv12slot::camera
