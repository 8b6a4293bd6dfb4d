// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace nv12slot::gst {

/// Has GStreamer's leaks tracer watch, unless GST_TRACERS chooses others. Before gst_init().
void watch_for_leaks();

/// Ends GStreamer (gst_deinit()), after which nothing of it can be used. False, having printed what
/// they are, where objects of its are left: objects and mini objects, but for those that are marked
/// as living as long as the process.
[[nodiscard]] bool ends_without_leaks();

}  // namespace nv12slot::gst
