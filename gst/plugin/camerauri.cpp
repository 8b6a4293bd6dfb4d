// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camerauri.h"

#include <gst/gst.h>

#include <array>
#include <memory>

namespace nv12slot::gst {
namespace {

struct GFree {
  void operator()(gchar* text) const { g_free(text); }
};
using Text = std::unique_ptr<gchar, GFree>;

std::string decoded(const std::string& text) {
  const Text plain(g_uri_unescape_string(text.c_str(), nullptr));
  return plain != nullptr ? plain.get() : text;
}

std::string encoded(const std::string& text) {
  return Text(g_uri_escape_string(text.c_str(), nullptr, FALSE)).get();
}

}  // namespace

CameraUri split_credentials(const std::string& uri) {
  const std::size_t scheme_end = uri.find("://");
  if (scheme_end == std::string::npos) return {uri, {}, {}};
  const std::size_t begin = scheme_end + 3;
  const std::size_t end = std::min(uri.find_first_of("/?#", begin), uri.size());
  // The last one: passwords with an '@' of their own are common, if wrong.
  const std::size_t at = uri.rfind('@', end - 1);
  if (at == std::string::npos || at < begin || begin == end) return {uri, {}, {}};
  const std::string info = uri.substr(begin, at - begin);
  const std::size_t colon = info.find(':');
  CameraUri camera;
  camera.uri = uri.substr(0, begin) + uri.substr(at + 1);
  camera.user = decoded(info.substr(0, colon));
  if (colon != std::string::npos) camera.password = decoded(info.substr(colon + 1));
  return camera;
}

std::string join_credentials(const CameraUri& camera) {
  const std::size_t scheme_end = camera.uri.find("://");
  if (camera.user.empty() || scheme_end == std::string::npos) return camera.uri;
  std::string info = encoded(camera.user);
  if (!camera.password.empty()) info += ":" + encoded(camera.password);
  return camera.uri.substr(0, scheme_end + 3) + info + "@" + camera.uri.substr(scheme_end + 3);
}

bool is_live_uri(const std::string& uri) {
  constexpr std::array kStored = {"file:", "http:", "https:", "data:", "ftp:", "sftp:", "smb:"};
  for (const char* const scheme : kStored) {
    if (g_ascii_strncasecmp(uri.c_str(), scheme, strlen(scheme)) == 0) return false;
  }
  return true;
}

}  // namespace nv12slot::gst
