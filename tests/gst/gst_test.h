// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/check/gstharness.h>
#include <gst/nv12slot/nv12slot.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "nv12slot/process.h"
#include "raii.h"

// What the tests of gst/ share.
namespace nv12slot::gst {

/// The picture that make_buffer() draws, by itself: Y rows, then UV rows, without padding.
[[nodiscard]] std::vector<std::uint8_t> picture(int width, int height, unsigned seed);

/// The same as a buffer in system memory, in the layout of NV12 caps.
[[nodiscard]] BufferPtr make_buffer(int width, int height, unsigned seed);

/// What a buffer shows, as picture() gives it; empty, with a test failure, if it cannot be mapped.
[[nodiscard]] std::vector<std::uint8_t> read_picture(GstBuffer* buffer, int width, int height);

[[nodiscard]] std::string nv12_caps(int width, int height, bool cuda = false);

/// A configured and active pool.
[[nodiscard]] ObjectPtr<GstBufferPool> make_pool(int device, int width, int height);

/// nv12slotcopy between two pads of the test's, with properties as in a launch line.
[[nodiscard]] GstHarness* copy_harness(const std::string& properties);

/// One counter of nv12slotcopy's "stats".
[[nodiscard]] guint64 stat(GstElement* element, const char* field);
[[nodiscard]] std::string path_of(GstElement* element);

[[nodiscard]] bool has_element(const char* factory);

/// What came on a bus: the error that ended a pipeline, or none; and its warnings.
struct RunResult {
  bool eos = false;
  std::string error, debug;
  GQuark domain = 0;
  int code = 0;
  std::vector<std::string> warnings;
};

/// Plays until EOS, an error, or for 60 s.
RunResult play(GstElement* pipeline);
/// Parses, plays, and takes down; `inspect` is called after EOS, before the pipeline is stopped.
RunResult play(const std::string& launch, const std::function<void(GstBin*)>& inspect = {});

/// Gives the process-wide pool its defaults, but no cooldown, so that what is released is free.
void reset_pool();

/// Slots that somebody has, the cooling ones included.
[[nodiscard]] unsigned slots_in_use(Domain domain);
/// Whether nobody has a slot once what was put into streams is done; waits for that, up to 5 s.
[[nodiscard]] bool comes_to_be_unused(Domain domain);

}  // namespace nv12slot::gst
