// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fault.h"
#include "record.h"
#include "server.h"

namespace soak {

/// What the user asked for.
struct Options {
  std::vector<std::string> uris;
  unsigned simulate = 0;
  int width = 320, height = 240, fps = 15;
  std::vector<std::string> clips;  // files to play as the simulated cameras
  Seconds seconds = 60, warm_up = 10;
  unsigned seed = 1;

  std::vector<FaultKind> faults;
  Seconds fault_every = 5;

  unsigned readers = 2, hold = 4;
  int late_ms = 25, kernel_ms = 5;

  std::optional<int> device;
  std::vector<std::pair<std::string, std::string>> properties;  // of nv12slotsrc
  unsigned pool_cap = 0;                                        // 0: as many as the cameras need
  std::optional<double> pool_cooldown_ms;

  Limits limits;
  bool expects_any_path = false;

  std::string html, json;
  std::string command;  // the whole line

  [[nodiscard]] unsigned cameras() const { return simulate + static_cast<unsigned>(uris.size()); }
};

/// What the program is to do.
struct Task {
  enum class Kind { kSoak, kServe, kReport, kNothing } kind = Kind::kSoak;
  Options options;
  ServeSettings serve;
  std::string report;  ///< a JSON report to write the others from
  int status = 0;      ///< kNothing: what the program ends with
};

/// Reads the command line. What cannot be is said on standard error, with what to do.
[[nodiscard]] Task parse(int argc, char** argv);

}  // namespace soak
