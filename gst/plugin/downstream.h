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

/// `input_caps` in the memory of `domain`; empty where downstream of `pad` does not take that.
[[nodiscard]] CapsPtr ask_for_caps(GstPad* pad, const GstCaps* input_caps, Domain domain);

/// Whether every reader downstream of `pad` promises to wait for and to fence frames of `caps`
/// (nv12slotmeta.h). Only once they were told those caps: elements answer for what they have.
[[nodiscard]] bool ask_for_promise(GstPad* pad, GstCaps* caps);

}  // namespace nv12slot::gst
