// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string_view>

#include "server.h"

namespace nv12slot::bench {
namespace {

std::string make_folder() {
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("nv12slot-benchmark-{}", getpid());
  std::filesystem::create_directories(folder);
  return folder.string();
}

}  // namespace

Simulation::Simulation(unsigned cameras) : folder_(make_folder()) {
  soak::ClipSettings clips;
  clips.folder = folder_;
  clips.fps = kFps;
  server_ = std::make_unique<soak::ServerProcess>(cameras, clips);
  for (unsigned i = 0; i < cameras; ++i) {
    proxies_.push_back(std::make_unique<soak::Proxy>(
        thread_, "127.0.0.1", static_cast<std::uint16_t>(server_->port()), i + 1));
  }
}

Simulation::~Simulation() {
  proxies_.clear();
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string Simulation::uri(unsigned camera) const {
  return fmt::format("rtsp://127.0.0.1:{}/cam{}", proxies_.at(camera)->port(), camera);
}

bool Simulation::is_server(int argc, char** argv) {
  return argc > 1 && std::string_view(argv[1]) == "serve";
}

int Simulation::serve(int argc, char** argv) {
  // The words that soak::ServerProcess starts its child with.
  soak::ServeSettings settings;
  std::string size;
  CLI::App app;
  app.add_option("--cameras", settings.cameras);
  app.add_option("--port", settings.port);
  app.add_option("--parent", settings.parent);
  app.add_option("--folder", settings.clips.folder);
  app.add_option("--clips", settings.clips.clips);
  app.add_option("--size", size);  // the one that ClipSettings has by itself
  app.add_option("--fps", settings.clips.fps);
  CLI11_PARSE(app, argc - 1, argv + 1);
  return soak::serve(settings);
}

}  // namespace nv12slot::bench
