// SPDX-License-Identifier: LGPL-2.1-or-later
#include "demo_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "options.h"
#include "proxy.h"
#include "server.h"
#include "server_process.h"

namespace demo {

struct Network::Parts {
  Parts(unsigned cameras, const soak::ClipSettings& clips) : server(cameras, clips) {}

  soak::ServerProcess server;
  soak::ContextThread thread;
  std::vector<std::unique_ptr<soak::Proxy>> proxies;  // one for each camera
};

Network::Network(unsigned cameras, const EncodeSetup& setup, const std::string& folder) {
  soak::ClipSettings clips;
  clips.folder = folder;
  clips.clips = std::min(cameras, setup.streams);
  clips.width = setup.width;
  clips.height = setup.height;
  clips.fps = setup.fps;
  parts_ = std::make_unique<Parts>(cameras, clips);
  for (unsigned i = 0; i < cameras; ++i) {
    parts_->proxies.push_back(std::make_unique<soak::Proxy>(
        parts_->thread, "127.0.0.1", static_cast<std::uint16_t>(parts_->server.port()), i));
  }
}

Network::~Network() = default;

std::string Network::uri(unsigned camera) const {
  return fmt::format("rtsp://127.0.0.1:{}/cam{}", parts_->proxies[camera]->port(), camera);
}

void Network::cut(unsigned camera) {
  parts_->proxies[camera]->cut();
}

std::optional<int> serve_if_asked(int argc, char** argv) {
  if (argc < 2 || std::string_view(argv[1]) != "serve") return std::nullopt;
  const soak::Task task = soak::parse(argc, argv);
  return task.kind == soak::Task::Kind::kServe ? soak::serve(task.serve) : task.status;
}

}  // namespace demo
