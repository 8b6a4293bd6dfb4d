// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace demo {

/// What one camera's line says.
struct CameraLine {
  std::string name, state, path;
  std::uint64_t frames = 0, drops = 0;
  unsigned held = 0, recreated = 0;
};

/// The live picture: a line for each camera and one for each domain of the pool. Redrawn in place
/// in a terminal; elsewhere one plain line a second. One thread.
class Display {
 public:
  Display();

  /// Draws if it is time to.
  void update(const std::vector<CameraLine>& cameras);
  /// A line of text that stays, above the picture.
  void note(const std::string& text);
  /// Leaves what is on the screen and goes on below it.
  void end();

 private:
  using Clock = std::chrono::steady_clock;

  const bool terminal_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_;
  std::vector<std::uint64_t> frames_;  // of each camera, when drawn last
  std::vector<double> rates_;
  std::size_t lines_ = 0;
};

/// The pool's domains in words, a line each: "pool host: 21 of 64 slots: 3 free ...".
std::vector<std::string> pool_lines();

}  // namespace demo
