// SPDX-License-Identifier: LGPL-2.1-or-later
#include "demo_display.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "nv12slot/process.h"

namespace demo {

Display::Display() : terminal_(isatty(STDOUT_FILENO) != 0) {}

std::vector<std::string> pool_lines() {
  const nv12slot::SlotPool& pool = *nv12slot::Process::get().pool;
  std::vector<std::string> lines;
  for (const nv12slot::Domain domain : pool.domains()) {
    const nv12slot::PoolStats stats = pool.stats(domain);
    if (stats.acquired == 0) continue;
    const std::string name =
        domain == nv12slot::kHostDomain ? "host" : fmt::format("cuda {}", domain);
    lines.push_back(fmt::format(
        "pool {}: {} of {} slots, {} MB: {} free, {} active, {} cooling, {} quarantined", name,
        stats.slots, stats.cap, stats.bytes / 1'000'000, stats.free, stats.active, stats.cooling,
        stats.quarantined));
  }
  return lines;
}

void Display::update(const std::vector<CameraLine>& cameras) {
  const auto now = Clock::now();
  const double passed = std::chrono::duration<double>(now - drawn_).count();
  if (passed < (terminal_ ? 0.25 : 1.0)) return;
  frames_.resize(cameras.size());
  rates_.resize(cameras.size());
  for (std::size_t i = 0; i < cameras.size(); ++i) {
    const double rate =
        drawn_ == Clock::time_point{} ? 0 : double(cameras[i].frames - frames_[i]) / passed;
    rates_[i] = terminal_ ? 0.8 * rates_[i] + 0.2 * rate : rate;
    frames_[i] = cameras[i].frames;
  }
  const bool first = drawn_ == Clock::time_point{};
  drawn_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();

  if (!terminal_) {
    if (first) return;
    std::string line = fmt::format("{:4.0f} s", seconds);
    for (std::size_t i = 0; i < cameras.size(); ++i) {
      line += fmt::format("  {} {:.0f} fps held {}", cameras[i].name, rates_[i], cameras[i].held);
    }
    for (const std::string& pool : pool_lines()) line += "  | " + pool;
    fmt::print("{}\n", line);
    std::fflush(stdout);
    return;
  }

  std::vector<std::string> lines;
  lines.push_back(fmt::format("{:<8} {:<10} {:<9} {:>6} {:>8} {:>6} {:>11} {:>7}", "camera",
                              "state", "path", "fps", "frames", "held", "re-created", "drops"));
  for (std::size_t i = 0; i < cameras.size(); ++i) {
    const CameraLine& camera = cameras[i];
    lines.push_back(fmt::format("{:<8} {:<10} {:<9} {:>6.1f} {:>8} {:>6} {:>11} {:>7}", camera.name,
                                camera.state, camera.path, rates_[i], camera.frames, camera.held,
                                camera.recreated, camera.drops));
  }
  for (std::string& line : pool_lines()) lines.push_back(std::move(line));
  if (lines_ > 0) fmt::print("\033[{}A", lines_);
  for (const std::string& line : lines) fmt::print("{}\033[K\n", line);
  lines_ = lines.size();
  std::fflush(stdout);
}

void Display::note(const std::string& text) {
  // The cursor is below the picture, which is drawn anew below the note.
  if (lines_ > 0) fmt::print("\033[{}A\033[J", lines_);
  lines_ = 0;
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Display::end() {
  lines_ = 0;
}

}  // namespace demo
