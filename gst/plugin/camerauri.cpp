// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camerauri.h"

#include <gst/gst.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

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

/// Where the credentials are in it, or an empty range.
struct Range {
  std::size_t begin = 0, end = 0;  // of the '@' behind them
};

/// Whether it can be, so that no password begins in it: nothing, or digits, behind the colon.
bool is_host_and_port(const std::string& text) {
  const std::size_t colon = text.find(':');
  return text.front() == '[' || colon == std::string::npos ||
         text.find_first_not_of("0123456789", colon + 1) == std::string::npos;
}

void replace_all(std::string& text, const std::string& what) {
  constexpr std::string_view kHidden = "***";
  if (what.empty()) return;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += kHidden.size()) {
    text.replace(at, what.size(), kHidden);
  }
}

/// A slash or the scheme was forgotten: it opens nothing, but is shown in an error.
Range credentials_of_no_uri(const std::string& text) {
  if (g_ascii_strncasecmp(text.c_str(), "data:", 5) == 0) return {};
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos) return {};
  const std::size_t scheme_end = text.find(":/");
  const bool has_scheme = scheme_end < text.find_first_of("@/?#");
  return {has_scheme ? scheme_end + 2 : 0, at};
}

Range credentials_in(const std::string& uri) {
  const std::size_t scheme_end = uri.find("://");
  if (scheme_end == std::string::npos) return credentials_of_no_uri(uri);
  const std::size_t begin = scheme_end + 3;
  const std::size_t end = std::min(uri.find_first_of("/?#", begin), uri.size());
  if (begin == end) return {};
  // The last one: passwords with an '@' of their own are common, if wrong. So are those with a '/'.
  std::size_t at = uri.rfind('@', end - 1);
  const bool is_there = at != std::string::npos && at >= begin;
  if (!is_there && !is_host_and_port(uri.substr(begin, end - begin))) at = uri.rfind('@');
  if (at == std::string::npos || at < begin) return {};
  return {begin, at};
}

}  // namespace

CameraUri split_credentials(const std::string& uri) {
  const Range range = credentials_in(uri);
  if (range.end == 0 || range.end < range.begin) return {uri, {}, {}};
  const std::string info = uri.substr(range.begin, range.end - range.begin);
  const std::size_t colon = info.find(':');
  CameraUri camera;
  camera.uri = uri.substr(0, range.begin) + uri.substr(range.end + 1);
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

std::string hide_credentials(std::string text, const CameraUri& camera) {
  if (!camera.user.empty()) {
    replace_all(text, camera.user + ":" + camera.password);
    replace_all(text, encoded(camera.user) + ":" + encoded(camera.password));
  }
  replace_all(text, camera.password);
  replace_all(text, encoded(camera.password));
  return text;
}

bool is_live_uri(const std::string& uri) {
  constexpr std::array kStored = {"file:", "http:", "https:", "data:", "ftp:", "sftp:", "smb:"};
  for (const char* const scheme : kStored) {
    if (g_ascii_strncasecmp(uri.c_str(), scheme, strlen(scheme)) == 0) return false;
  }
  return true;
}

}  // namespace nv12slot::gst
