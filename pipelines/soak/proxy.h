// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <random>
#include <string>

#include "context_thread.h"

namespace soak {

/// A TCP proxy on 127.0.0.1 between one camera's element and its server, which can do to their
/// connections what networks do. Lives on a ContextThread, which carries its bytes; calls from any
/// other thread.
class Proxy {
 public:
  /// Bytes to the element over which the changes of flip() are spread.
  static constexpr std::uint64_t kFlipSpan = 4096;
  static constexpr unsigned kFlips = 16;

  /// Forwards to `host`:`port`, which need not be there yet. Throws std::runtime_error when it
  /// cannot listen.
  Proxy(ContextThread& thread, std::string host, std::uint16_t port, unsigned seed);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// Connections that reached the server so far; the number of the newest.
  [[nodiscard]] unsigned connections() const { return connections_.load(); }

  /// Closes what is open, in order.
  void cut();
  /// Resets what is open.
  void reset();
  /// Forwards nothing more through what is open; the server still gets rid of its bytes.
  void stall();
  /// Changes kFlips of the next kFlipSpan bytes that come from the server, if there is a
  /// connection.
  void flip();
  /// Whether changes of flip() are still to be made.
  [[nodiscard]] bool is_flipping() const { return flips_left_.load() > 0; }

 private:
  class Link;

  static gboolean on_incoming(GSocketService*, GSocketConnection* connection, GObject*,
                              gpointer self);
  void drop(Link& link);
  void flip_some(char* bytes, std::size_t size);

  ContextThread& thread_;
  const std::string host_;
  const std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  std::atomic<unsigned> connections_{0};
  std::atomic<unsigned> flips_left_{0};

  // Of the thread alone.
  Ref<GSocketService> service_;
  std::list<std::unique_ptr<Link>> links_;
  std::minstd_rand random_;
  std::uint64_t until_flip_ = 0;  // bytes to the next change
};

}  // namespace soak
