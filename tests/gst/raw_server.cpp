// SPDX-License-Identifier: LGPL-2.1-or-later
#include "raw_server.h"

#include <utility>

#include "rtsp_camera.h"

namespace nv12slot::gst {

RawServer::RawServer(std::string says) : says_(std::move(says)) {
  thread_.run([this] {
    service_.reset(g_socket_service_new());
    port_ =
        g_socket_listener_add_any_inet_port(G_SOCKET_LISTENER(service_.get()), nullptr, nullptr);
    g_signal_connect(service_.get(), "incoming", G_CALLBACK(on_incoming), this);
    g_socket_service_start(service_.get());
  });
}

RawServer::~RawServer() {
  thread_.run([this] {
    connections_.clear();
    g_socket_service_stop(service_.get());
    service_.reset();
  });
}

std::string RawServer::uri() const {
  return RtspCamera::uri_of(port_);
}

gboolean RawServer::on_incoming(GSocketService*, GSocketConnection* connection, GObject*,
                                gpointer data) {
  auto* const self = static_cast<RawServer*>(data);
  GOutputStream* const out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
  g_output_stream_write_all(out, self->says_.data(), self->says_.size(), nullptr, nullptr, nullptr);
  self->connections_.emplace_back(static_cast<GSocketConnection*>(g_object_ref(connection)));
  return TRUE;
}

}  // namespace nv12slot::gst
