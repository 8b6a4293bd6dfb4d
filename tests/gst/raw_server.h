// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gio/gio.h>

#include <cstdint>
#include <string>
#include <vector>

#include "context_thread.h"
#include "gst_raii.h"

namespace nv12slot::gst {

/// A TCP server on loopback that says what it likes, at once, to whoever connects.
class RawServer {
 public:
  explicit RawServer(std::string says);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  [[nodiscard]] std::string uri() const;  ///< rtsp://

 private:
  static gboolean on_incoming(GSocketService* service, GSocketConnection* connection,
                              GObject* source, gpointer self);

  const std::string says_;
  soak::ContextThread thread_;
  soak::Ref<GSocketService> service_;
  std::vector<soak::Ref<GSocketConnection>> connections_;  // open until the server goes
  std::uint16_t port_ = 0;
};

}  // namespace nv12slot::gst
