// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>

#include "bars.h"
#include "frame_times.h"

namespace nv12slot::bench {

/// Cameras of 30 frames a second in one process, of which one is destroyed and made again twice a
/// second, beside inference.
struct StormSettings {
  std::string decode;  ///< as Player::Settings::decode
  bool shares_context = false;
  std::chrono::milliseconds kernel{5};
  std::chrono::duration<double> quiet{8};
  /// Then the camera is left alone, and starts its stream over at the times at which it is made
  /// again in the storm: its key pictures come to the decoding engines at other times than before,
  /// beside the other cameras' pictures. What that costs is no decoder's doing.
  std::chrono::duration<double> start_over{0};
  std::chrono::duration<double> storm{15};
  bool measures_memory = false;  ///< asks the driver, which may disturb the times
};

struct StormFigures {
  bool failed = false;  ///< a camera gave no frames; the reason stands on standard error
  Samples gone;         ///< ms: set_state(NULL) and unref
  Samples first_frame;  ///< ms: from before the pipeline is made to its first frame at the sink
  FrameTimes::Times quiet, start_over, storm;  ///< of the cameras that are not touched
  Samples quiet_step, storm_step;              ///< ms: inference steps
  double device_memory = 0;  ///< bytes: device_memory_since() at the most, in the storm
};

/// Takes these times and a few seconds. NV12SLOT_CAMERAS is their number (16); NV12SLOT_FEED=sink
/// plays them as from files (Player::Pace::kSink). Without a GPU there is no inference.
[[nodiscard]] StormFigures run_storm(const StormSettings& settings);

}  // namespace nv12slot::bench
