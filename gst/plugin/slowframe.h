// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "nv12slot/source.h"
#include "slotfiller.h"
#include "slotsettings.h"

namespace nv12slot::gst {

/// Logs a frame that took longer than the settings allow, with where the time went; false if it did
/// not. `total` includes `push`, the time downstream took.
bool note_if_slow(const FrameSettings& settings, const Source& source, const Outcome& outcome,
                  Duration total, Duration push);

}  // namespace nv12slot::gst
