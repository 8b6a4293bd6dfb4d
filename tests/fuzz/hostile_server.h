// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "seeds.h"

namespace nv12slot::fuzz {

/// What a camera says to one client.
struct Says {
  std::string headers;  ///< lines of every answer, each with its end
  std::string sdp;
  Bytes stream;  ///< after PLAY
};

/// An RTSP server on 127.0.0.1 that answers OPTIONS, DESCRIBE, SETUP and PLAY of one client after
/// the other with 200 and what it is told to say, and closes the connection behind the stream. It
/// has a thread of its own. say() may be called while no client is connected.
class HostileServer {
 public:
  HostileServer();
  ~HostileServer();
  HostileServer(const HostileServer&) = delete;
  HostileServer& operator=(const HostileServer&) = delete;

  void say(Says says);
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void run();
  void serve(int client, const Says& says) const;

  int socket_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_over_{false};
  std::mutex mutex_;
  std::shared_ptr<const Says> says_ = std::make_shared<Says>();
  std::thread thread_;
};

}  // namespace nv12slot::fuzz
