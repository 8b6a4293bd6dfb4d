// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "gst_raii.h"

namespace soak {

/// What the simulated cameras show.
struct ClipSettings {
  std::string folder;  ///< where the clips are kept, so that a server that starts again has them
  unsigned clips = 1;
  int width = 320, height = 240, fps = 15;
  /// Byte streams of H.264 without B-pictures to play in place of what is encoded here.
  std::vector<std::string> files = {};
};

/// A few seconds of H.264 to play over and over.
struct Clip {
  std::vector<Ref<GstBuffer>> units;  ///< access units, byte-stream; the first is an IDR picture
  std::string parameter_sets;         ///< SPS and PPS, with start codes
};

/// The clips, a different picture in each, with a key picture every second: the files, or else
/// encoded if they are not in the folder yet. Throws std::runtime_error, which says what to do, for
/// a file that is none and where there is no encoder.
[[nodiscard]] std::vector<Clip> load_clips(const ClipSettings& settings);

}  // namespace soak
