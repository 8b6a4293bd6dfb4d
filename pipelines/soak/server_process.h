// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "clips.h"
#include "gst_raii.h"

namespace soak {

/// The server of the simulated cameras, a process of its own that can be killed and started again
/// on the same port. One thread, the main one: the server ends with the thread that started it.
class ServerProcess {
 public:
  /// Starts it and waits until it serves. Throws std::runtime_error when it does not.
  ServerProcess(unsigned cameras, const ClipSettings& clips);
  ~ServerProcess() { kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] unsigned port() const { return port_; }

  /// Ends it as a power cut does.
  void kill();
  /// Starts it again; it serves once is_up() says so.
  void start();
  /// Whether it serves. Throws std::runtime_error when it has ended by itself.
  [[nodiscard]] bool is_up();

 private:
  static void on_line(GObject* stream, GAsyncResult* result, gpointer self);

  const unsigned cameras_;
  const ClipSettings clips_;
  Ref<GSubprocess> process_;
  Ref<GDataInputStream> output_;
  Ref<GCancellable> reading_;
  unsigned port_ = 0;
  bool is_up_ = false;
};

}  // namespace soak
