// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proxy.h"
#include "server_process.h"

namespace nv12slot::bench {

/// The cameras of the soak program, for benchmarks: real RTSP from a server in a child process, so
/// that its work is not part of the figures, and a proxy before each. 320 x 240 pixels, 15 pictures
/// a second, a key picture each second. The main thread.
class Simulation {
 public:
  static constexpr int kFps = 15;

  /// Throws std::runtime_error where it cannot be.
  explicit Simulation(unsigned cameras);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  [[nodiscard]] soak::ServerProcess& server() { return *server_; }
  [[nodiscard]] soak::Proxy& proxy(unsigned camera) { return *proxies_.at(camera); }
  /// Of a camera, through its proxy.
  [[nodiscard]] std::string uri(unsigned camera) const;

  /// Is this the child process? Then this serves, and the result is main()'s.
  [[nodiscard]] static bool is_server(int argc, char** argv);
  [[nodiscard]] static int serve(int argc, char** argv);

 private:
  const std::string folder_;
  std::unique_ptr<soak::ServerProcess> server_;
  soak::ContextThread thread_;
  std::vector<std::unique_ptr<soak::Proxy>> proxies_;
};

}  // namespace nv12slot::bench
