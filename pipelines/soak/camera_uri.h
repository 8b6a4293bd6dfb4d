// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace soak {

/// The parts of an rtsp:// URI that matter to who stands in between.
struct CameraUri {
  std::string user;  ///< "name:password@", or empty
  std::string host;
  std::uint16_t port = 554;
  std::string path;  ///< from the slash on

  /// The same stream through `port` of 127.0.0.1.
  [[nodiscard]] std::string through(std::uint16_t local_port) const;
};

/// Nothing where `uri` is no rtsp:// URI: of others (rtsps:// too, whose certificate names the
/// host) the connections cannot be gone between.
[[nodiscard]] std::optional<CameraUri> read_camera_uri(const std::string& uri);

}  // namespace soak
