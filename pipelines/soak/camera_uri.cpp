// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camera_uri.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

namespace soak {

std::string CameraUri::through(std::uint16_t local_port) const {
  return fmt::format("rtsp://{}127.0.0.1:{}{}", user, local_port, path);
}

std::optional<CameraUri> read_camera_uri(const std::string& uri) {
  constexpr std::string_view kScheme = "rtsp://";
  if (!uri.starts_with(kScheme)) return std::nullopt;
  CameraUri read;
  std::size_t end = uri.find_first_of("/?", kScheme.size());
  if (end == std::string::npos) end = uri.size();
  read.path = uri.substr(end);
  std::string host = uri.substr(kScheme.size(), end - kScheme.size());
  if (const std::size_t at = host.rfind('@'); at != std::string::npos) {
    read.user = host.substr(0, at + 1);
    host = host.substr(at + 1);
  }
  // A colon within [] belongs to an IPv6 address.
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    const std::string number = host.substr(colon + 1);
    const auto result = std::from_chars(number.data(), number.data() + number.size(), read.port);
    if (result.ec != std::errc() || result.ptr != number.data() + number.size()) {
      return std::nullopt;
    }
    host.resize(colon);
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty()) return std::nullopt;
  read.host = host;
  return read;
}

}  // namespace soak
