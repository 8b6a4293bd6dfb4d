// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>

namespace nv12slot::camera {

/// Why a camera gives no frames.
enum class Fault {
  kNone,
  kConnectTimeout,  ///< nothing came within the time it has to connect
  kUnreachable,     ///< no such host, nobody listens, or no way there
  kUnauthorized,    ///< user or password are missing or wrong
  kNotFound,        ///< the server has no such stream, or there is no such file
  kNoVideo,         ///< what it offers has no video
  kUnsupported,     ///< a video that cannot be decoded
  kPacketTimeout,   ///< it fell silent
  kFrameTimeout,    ///< it sends, but nothing of it could be decoded
  kEnded,           ///< a live stream ended, or its connection was closed
  kError,           ///< any other error
};

inline constexpr int kFaults = static_cast<int>(Fault::kError) + 1;

/// The name in messages and statistics: "packet-timeout".
[[nodiscard]] constexpr const char* to_string(Fault fault) {
  constexpr std::array<const char*, kFaults> kNames = {
      "none",        "connect-timeout", "unreachable",   "unauthorized", "not-found", "no-video",
      "unsupported", "packet-timeout",  "frame-timeout", "ended",        "error"};
  return kNames[static_cast<std::size_t>(fault)];
}

}  // namespace nv12slot::camera
