// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slotframe.h>

#include <memory>

#include "nv12slot/frame.h"

namespace nv12slot::gst {

/// A new boxed frame with one reference, the caller's. `frame` is not empty.
GST_NV12_SLOT_API GstNv12SlotFrame* frame_new(FrameRef frame);

/// What the boxed frame holds, borrowed.
GST_NV12_SLOT_API const FrameRef& frame_peek(const GstNv12SlotFrame* frame);

/// To and from H.273's numbers. What these do not tell from unknown (Adobe RGB, some gammas) is
/// lost.
[[nodiscard]] FrameColour to_frame_colour(const GstVideoColorimetry& colorimetry);
[[nodiscard]] GstVideoColorimetry to_colorimetry(const FrameColour& colour);

struct FrameUnref {
  void operator()(GstNv12SlotFrame* frame) const { gst_nv12_slot_frame_unref(frame); }
};
using FramePtr = std::unique_ptr<GstNv12SlotFrame, FrameUnref>;

}  // namespace nv12slot::gst
