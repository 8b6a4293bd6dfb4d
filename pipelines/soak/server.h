// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "clips.h"

namespace soak {

struct ServeSettings {
  unsigned cameras = 1;
  unsigned port = 0;  ///< 0: any that is free
  int parent = 0;     ///< process id; the server ends with it
  ClipSettings clips;
};

/// The child process with the simulated cameras, rtsp://127.0.0.1:PORT/camN: prints "port PORT" and
/// serves until it is killed or its parent ends. Returns the exit status.
///
/// A camera joins as a real one's stream is joined: in the middle of a group of pictures, as the
/// pictures go by with the wall clock, whoever looks. Timestamps go on when the clip begins again.
int serve(const ServeSettings& settings);

}  // namespace soak
