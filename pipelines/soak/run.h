// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "options.h"

namespace soak {

/// The soak itself, in the process that calls it: GStreamer is initialised here. Files are made in
/// `folder`. What was seen so far is written to `record_file`, as JSON, every now and then and at
/// the end, so that whoever waits for the process knows it however it ended. Returns the exit
/// status; throws std::runtime_error, which says what to do, when it cannot begin.
int run(const Options& options, const std::string& folder, const std::string& record_file);

}  // namespace soak
