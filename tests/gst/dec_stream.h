// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

// Streams for tests of nv12slotdec.
namespace nv12slot::gst {

/// Pictures in each of them.
inline constexpr unsigned kPictures = 12;

/// A file with a stream of moving patterns, encoded at the first call for these arguments and
/// removed at exit; empty where x264enc is missing. `options` are x264enc's.
[[nodiscard]] std::string h264(int width, int height,
                               const std::string& options = "key-int-max=6 bframes=0");

}  // namespace nv12slot::gst
