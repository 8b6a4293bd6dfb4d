// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "options.h"

namespace soak {

/// The soak itself, in the process that calls it: GStreamer is initialised here. A RecordWriter
/// leaves what was seen in `folder`, now and then and at the end; other files are made there too.
/// Returns the exit status; throws std::runtime_error, which says what to do, when it cannot begin.
int run(const Options& options, const std::string& folder);

}  // namespace soak
