// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fault.h"
#include "record.h"

namespace soak {

/// What one camera's line shows.
struct CameraProgress {
  std::string name, status, path, fault;
  std::uint64_t frames = 0, reconnects = 0;
  unsigned held = 0;
};

/// What the others show.
struct RunProgress {
  Seconds now = 0, length = 0;
  bool is_warming_up = false;
  ProcessSample process;
  std::size_t faults = 0, recovered = 0, faults_left = 0;
  ReaderRecord readers;
};

/// The live picture: redrawn in place in a terminal; elsewhere a plain line every few seconds. One
/// thread.
class Progress {
 public:
  Progress();

  /// How often to call update(), in milliseconds.
  [[nodiscard]] unsigned interval_ms() const { return terminal_ ? 250 : 5000; }
  void update(const std::vector<CameraProgress>& cameras, const RunProgress& run);
  /// A line that stays, above the picture.
  void note(const std::string& text);

 private:
  const bool terminal_;
  std::size_t lines_ = 0;  // of the picture
  Seconds drawn_ = 0;
  std::vector<std::uint64_t> frames_;  // of each camera, then
  std::vector<double> rates_;
};

}  // namespace soak
