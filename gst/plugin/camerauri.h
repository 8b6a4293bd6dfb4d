// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace nv12slot::gst {

/// A camera's URI with the credentials taken out, so that what is shown and logged has none.
struct CameraUri {
  std::string uri, user, password;
};

/// Splits "scheme://user:password@host/…"; the two are percent-decoded. What has no credentials
/// stays as it is; what looks as if it had is split although it is no URI, as errors show it.
[[nodiscard]] CameraUri split_credentials(const std::string& uri);

/// The URI with the credentials in it, percent-encoded: for sources that take them no other way.
[[nodiscard]] std::string join_credentials(const CameraUri& camera);

/// `text`, which somebody else wrote about the camera, with *** in the place of its password.
[[nodiscard]] std::string hide_credentials(std::string text, const CameraUri& camera);

/// Whether such a camera is live if its user does not say: all but files and downloads.
[[nodiscard]] bool is_live_uri(const std::string& uri);

}  // namespace nv12slot::gst
