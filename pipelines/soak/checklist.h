// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "record.h"

namespace soak {

/// One thing that must hold.
struct Line {
  std::string id;     ///< for programs, e.g. "gaps"
  std::string title;  ///< what must hold
  bool pass = false;
  std::string figure;  ///< what was measured, in words
};

/// The lines, each judged from the record alone.
[[nodiscard]] std::vector<Line> make_checklist(const Record& record);

/// Whether every line passed.
[[nodiscard]] bool all_pass(const std::vector<Line>& lines);

/// How much a series grew: the median of its last quarter less that of its first. A single peak or
/// a first value that is low does not count. 0 for fewer than four values.
[[nodiscard]] double growth(const std::vector<double>& values);

}  // namespace soak
