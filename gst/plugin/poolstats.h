// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "nv12slot/device.h"
#include "nv12slot/source.h"

namespace nv12slot::gst {

/// Adds to an element's statistics the frames that `source` (nullptr: none) has in flight, and the
/// pool's counters of `domain`.
void add_pool_stats(GstStructure* stats, const Source* source, Domain domain);

}  // namespace nv12slot::gst
