// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nv12slot::gst {

/// What GStreamer's leaks tracer says is alive, a line each: objects and mini objects, but for what
/// is marked as living as long as the process. Needs GST_TRACERS=leaks before gst_init().
[[nodiscard]] std::vector<std::string> live_objects();

/// Fails a program whose tests left an object of GStreamer's behind.
class LeakCheck : public testing::Environment {
 public:
  void TearDown() override;
};

}  // namespace nv12slot::gst
