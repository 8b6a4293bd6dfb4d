// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string_view>

namespace nv12slot {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Called on whichever thread has something to say, with no lock of the library held. Must not
/// call back into the library.
using LogSink = void (*)(LogLevel level, std::string_view message);

/// Sets where diagnostics go; nullptr restores the default (warnings and errors to stderr).
void set_log_sink(LogSink sink);

/// Hands `message` to the sink. The library says few things and each starts with one of: NEW SLOT,
/// POOL FULL, SLOT RETIRED, SLOW FRAME, QUARANTINE, EVICTED, DEVICE, or the name of
/// an environment variable.
void log(LogLevel level, std::string_view message);

}  // namespace nv12slot
