// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12tensormeta.h>

namespace nv12slot::gst {

/// Adds what GStreamer's own elements read a tensor from, a GstTensorMeta with one tensor, its id
/// "nv12slottensor", to the buffer whose one memory `meta` describes. Does nothing with GStreamer
/// before 1.26.
void add_analytics_tensor(GstBuffer* buffer, const GstNv12TensorMeta& meta);

}  // namespace nv12slot::gst
