// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "nv12slot/device.h"
#include "raii.h"

namespace nv12slot::gst {

[[nodiscard]] bool caps_are_cuda(const GstCaps* caps);

/// `caps` with system memory and, with `cuda`, with CUDA memory first: all that nv12slotcopy turns
/// one into the other.
[[nodiscard]] CapsPtr caps_in_both_memories(const GstCaps* caps, bool cuda);

/// What the elements downstream take of frames with one set of caps, in one kind of memory.
struct Downstream {
  CapsPtr caps;                ///< empty: they do not take it
  bool readers_fence = false;  ///< each promised to wait and to fence (nv12slotmeta.h)
};

/// Asks whether downstream of `pad` takes `input_caps` in the memory of `domain`, and how.
[[nodiscard]] Downstream ask_downstream(GstPad* pad, const GstCaps* input_caps, Domain domain);

}  // namespace nv12slot::gst
