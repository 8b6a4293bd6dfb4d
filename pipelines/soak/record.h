// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "fault.h"

namespace soak {

/// What one camera did in one interval of sampling.
struct CameraSample {
  Seconds at = 0;
  std::uint64_t frames = 0;
  double processing_ms = 0;      ///< mean, from the access unit to its picture in a slot
  double processing_max_ms = 0;  ///< the longest
  double gap_ms = 0;             ///< the longest time without a frame that ended, or still goes on
  std::uint64_t reconnects = 0;  ///< so far
};

/// One camera over all its lives.
struct CameraRecord {
  std::string name;
  std::uint64_t frames = 0, corrupted = 0;
  std::vector<std::string> paths;  ///< that decoded it, as the element calls them
  unsigned lives = 0;              ///< pipelines made for it
  std::uint64_t reconnects = 0, outages = 0;
  std::uint64_t dropped = 0;  ///< frames that found no slot
  std::optional<Seconds> first_frame;
  // Outside of faults, after the warm-up:
  double longest_gap_ms = 0;
  Seconds longest_gap_at = 0;
  unsigned gaps_over_limit = 0;
  std::uint64_t corrupted_outside = 0;
  double slowest_stop_ms = 0;  ///< of taking its pipelines down
  std::uint64_t teardowns_abandoned = 0;
  std::vector<std::string> errors;  ///< that the pipeline ended with; the first few
  std::vector<CameraSample> samples;
};

/// The process at one moment: slots by state, all domains together, and memory.
struct ProcessSample {
  Seconds at = 0;
  unsigned free = 0, active = 0, cooling = 0, quarantined = 0;
  double resident_mib = 0;
  double device_mib = -1;  ///< in use on the device, by everybody; -1: no device
};

struct FaultRecord {
  std::string kind;
  int camera = 0;                    ///< -1: all
  Seconds begun = 0;                 ///< done to the camera
  std::optional<Seconds> lifted;     ///< undone: the camera could be well again
  std::optional<Seconds> recovered;  ///< the last camera's first good frame
  bool given_up = false;             ///< not recovered within the limit
};

/// What the process counted so far.
struct Counters {
  std::uint64_t slots_made = 0, slots_freed = 0;
  std::uint64_t pool_full = 0;        ///< times no slot was to be had at first
  std::uint64_t slow_frames = 0;      ///< SLOW FRAME lines
  std::uint64_t decoders_opened = 0;  ///< NVDEC's and software's
  std::uint64_t decoders_reused = 0;
  /// Calls of the driver by nv12slot, by name; empty where nobody counts them.
  std::map<std::string, std::uint64_t> driver_calls;
};

/// What the readers saw.
struct ReaderRecord {
  std::uint64_t checked = 0, changed = 0;  ///< frames compared while held; of these, different
  /// The same for reads that went on after the frame was let go, as of a kernel in flight.
  std::uint64_t late_checked = 0, late_changed = 0;
  std::uint64_t late_unjudged = 0;  ///< late reads that ended too late to say anything
  std::uint64_t skipped = 0;        ///< frames not looked at, as the reader was behind
  std::uint64_t without_slot = 0;   ///< buffers that were no slot frames
  std::uint64_t outlived = 0;       ///< frames checked after their camera was destroyed
  std::string first_fault;
};

/// The end of the run.
struct ExitRecord {
  bool finished = false;  ///< it came to its end, by itself or by Ctrl-C
  bool early = false;     ///< by Ctrl-C
  unsigned active = 0;    ///< slots that nobody gave back
  std::string status;     ///< "0", or what the process ended with; set by who waited for it
  bool is_clean = false;  ///< likewise
};

/// What the lines of the checklist are measured by.
struct Limits {
  std::string path;  ///< that must decode every camera; empty: any
  double gap_ms = 500;
  Seconds recovery = 30;
  double stop_ms = 1500;
  std::uint64_t slow_frames = 0;
  double memory_mib = 16;
};

/// Everything about a run; what the reports are made of. Goes from the process that runs to the one
/// that waits for it as JSON.
struct Record {
  std::string version, command, machine;  ///< for people
  std::string begun_at;                   ///< date and time
  unsigned seed = 0;
  int device = -1;
  Seconds warm_up = 0;   ///< when it ended
  Seconds length = 0;    ///< of the run so far
  Seconds interval = 1;  ///< of sampling
  Limits limits;
  std::vector<CameraRecord> cameras;
  std::vector<ProcessSample> samples;
  std::vector<FaultRecord> faults;
  std::size_t faults_left = 0;  ///< that were to come and had not begun at the end
  ReaderRecord readers;
  Counters warm, end;  ///< after the warm-up, and last
  ExitRecord exit;
};

// Everything in a record is JSON and comes back from it.
void to_json(nlohmann::json& json, const CameraSample& sample);
void from_json(const nlohmann::json& json, CameraSample& sample);
void to_json(nlohmann::json& json, const ProcessSample& sample);
void from_json(const nlohmann::json& json, ProcessSample& sample);
void to_json(nlohmann::json& json, const FaultRecord& fault);
void from_json(const nlohmann::json& json, FaultRecord& fault);
void to_json(nlohmann::json& json, const Record& record);
void from_json(const nlohmann::json& json, Record& record);

}  // namespace soak
