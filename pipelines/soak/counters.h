// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "record.h"

namespace soak {

/// Listens to what the library says, for SLOW FRAME, and hands it on to GStreamer's log. After the
/// plugin was loaded, which does the latter alone. For good.
void watch_log();

/// What the process counted, decoders excepted: those are the cameras'. Calls of the driver are
/// counted where tests/gpu's driver_calls is preloaded.
[[nodiscard]] Counters process_counters();

}  // namespace soak
