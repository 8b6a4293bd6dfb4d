// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "checklist.h"
#include "record.h"

namespace soak {

/// The checklist for a terminal.
[[nodiscard]] std::string text_report(const Record& record, const std::vector<Line>& lines);

/// Everything for programs: {"pass": …, "checklist": [{"id", "title", "pass", "figure"}, …],
/// "record": …}.
[[nodiscard]] std::string json_report(const Record& record, const std::vector<Line>& lines);

/// The record in such a report. Throws std::runtime_error where the text is none.
[[nodiscard]] Record record_of_report(const std::string& json);

/// One page with everything in it: no script, nothing that is loaded from elsewhere; light and dark
/// as the reader has it.
[[nodiscard]] std::string html_report(const Record& record, const std::vector<Line>& lines);

}  // namespace soak
