// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace demo {

struct EncodeSetup {
  unsigned streams = 4;
  int width = 1280, height = 720, fps = 30, seconds = 5;
};

/// Encodes moving test patterns, a different one for each stream, as H.264 in .mp4 files into
/// `folder`. Returns the files. `progress` is called after each with how many are done. Throws
/// std::runtime_error, which says what to install, when there is no encoder.
std::vector<std::string> encode_streams(const std::string& folder, const EncodeSetup& setup,
                                        const std::function<void(unsigned done)>& progress);

}  // namespace demo
