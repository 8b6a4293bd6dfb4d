// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "record.h"

namespace soak {

/// The record of a run in which everything held.
inline Record good_record() {
  Record record;
  record.version = "1";
  record.command = "nv12slot-soak --simulate 2";
  record.seed = 3;
  record.warm_up = 5;
  record.length = 30;
  for (int i = 0; i < 2; ++i) {
    CameraRecord camera;
    camera.name = "cam" + std::to_string(i);
    camera.frames = 400 + static_cast<unsigned>(i);
    camera.paths = {"software"};
    camera.lives = 1;
    camera.first_frame = 0.4;
    camera.longest_gap_ms = 80;
    camera.slowest_stop_ms = 12;
    record.cameras.push_back(camera);
  }
  for (int i = 0; i <= 30; ++i) {
    ProcessSample sample;
    sample.at = i;
    sample.active = 8;
    sample.free = 4;
    sample.resident_mib = 60;
    record.samples.push_back(sample);
    for (CameraRecord& camera : record.cameras) {
      camera.samples.push_back({static_cast<Seconds>(i), 15, 1.5, 4, 80, 0});
    }
  }
  FaultRecord fault;
  fault.kind = "stall";
  fault.camera = 1;
  fault.begun = 10;
  fault.lifted = 10;
  fault.recovered = 13;
  record.faults = {fault};
  record.readers.checked = 700;
  record.readers.late_checked = 90;
  record.warm.slots_made = record.end.slots_made = 12;
  record.exit = {true, false, 0, "0", true};
  return record;
}

}  // namespace soak
