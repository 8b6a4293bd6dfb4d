// SPDX-License-Identifier: LGPL-2.1-or-later
#include "record.h"

namespace nlohmann {

/// null where there is nothing.
template <typename T>
struct adl_serializer<std::optional<T>> {
  static void to_json(json& json, const std::optional<T>& value) {
    if (value) {
      json = *value;
    } else {
      json = nullptr;
    }
  }
  static void from_json(const json& json, std::optional<T>& value) {
    value.reset();
    if (!json.is_null()) value = json.get<T>();
  }
};

}  // namespace nlohmann

namespace soak {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CameraRecord, name, frames, corrupted, paths, lives, reconnects,
                                   outages, dropped, first_frame, longest_gap_ms, longest_gap_at,
                                   gaps_over_limit, corrupted_outside, slowest_stop_ms,
                                   teardowns_abandoned, errors, samples)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Counters, slots_made, slots_freed, pool_full, slow_frames,
                                   decoders_opened, decoders_reused, driver_calls)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReaderRecord, checked, changed, late_checked, late_changed,
                                   late_unjudged, skipped, without_slot, outlived, first_fault)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ExitRecord, finished, early, active, status, is_clean)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Limits, path, gap_ms, recovery, stop_ms, slow_frames, memory_mib)

namespace {

// The macro's functions are inline; those of the header go through types of this file.
struct CameraSampleFields : CameraSample {};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CameraSampleFields, at, frames, processing_ms, processing_max_ms,
                                   gap_ms, reconnects)
struct ProcessSampleFields : ProcessSample {};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ProcessSampleFields, at, free, active, cooling, quarantined,
                                   resident_mib, device_mib)
struct FaultFields : FaultRecord {};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FaultFields, kind, camera, begun, lifted, recovered, given_up)
struct RecordFields : Record {};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RecordFields, version, command, machine, begun_at, seed, device,
                                   warm_up, length, interval, limits, cameras, samples, faults,
                                   faults_left, readers, warm, end, exit)

}  // namespace

void to_json(nlohmann::json& json, const CameraSample& sample) {
  json = CameraSampleFields{sample};
}

void from_json(const nlohmann::json& json, CameraSample& sample) {
  sample = json.get<CameraSampleFields>();
}

void to_json(nlohmann::json& json, const ProcessSample& sample) {
  json = ProcessSampleFields{sample};
}

void from_json(const nlohmann::json& json, ProcessSample& sample) {
  sample = json.get<ProcessSampleFields>();
}

void to_json(nlohmann::json& json, const FaultRecord& fault) {
  json = FaultFields{fault};
}

void from_json(const nlohmann::json& json, FaultRecord& fault) {
  fault = json.get<FaultFields>();
}

void to_json(nlohmann::json& json, const Record& record) {
  json = RecordFields{record};
}

void from_json(const nlohmann::json& json, Record& record) {
  record = json.get<RecordFields>();
}

}  // namespace soak
