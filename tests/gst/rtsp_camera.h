// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/rtsp-server/rtsp-server.h>

#include <cstdint>
#include <memory>
#include <string>

#include "context_thread.h"

namespace nv12slot::gst {

/// A camera for tests: an RTSP server on 127.0.0.1, with a thread of its own.
class RtspCamera {
 public:
  struct Settings {
    /// The server's pipeline, with payloaders pay0, pay1 and so on.
    std::string launch = video();
    std::string user, password;  ///< asked for, if set
    std::uint16_t port = 0;      ///< 0: any that is free
    /// Whether all clients see one pipeline. A server that is taking it down as its last client
    /// goes answers the next one 503.
    bool is_shared = true;
    /// A file with a certificate and its key: the camera speaks TLS then (rtsps).
    std::string certificate;
  };

  /// 64 x 48 pixels at 20 frames a second, a key picture twice a second.
  [[nodiscard]] static std::string video();

  RtspCamera() : RtspCamera(Settings()) {}
  explicit RtspCamera(Settings settings);
  /// Closes all connections.
  ~RtspCamera();
  RtspCamera(const RtspCamera&) = delete;
  RtspCamera& operator=(const RtspCamera&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string uri() const {
    return (is_tls_ ? "rtsps" : "rtsp") + uri_of(port_).substr(4);
  }
  [[nodiscard]] static std::string uri_of(std::uint16_t port) {
    return "rtsp://127.0.0.1:" + std::to_string(port) + "/camera";
  }

 private:
  soak::ContextThread thread_;
  soak::Ref<GstRTSPServer> server_;
  guint source_ = 0;  // in the thread's context
  std::uint16_t port_ = 0;
  const bool is_tls_;
};

}  // namespace nv12slot::gst
