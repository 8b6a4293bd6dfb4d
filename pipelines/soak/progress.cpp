// SPDX-License-Identifier: LGPL-2.1-or-later
#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace soak {

Progress::Progress() : terminal_(isatty(STDOUT_FILENO) != 0) {}

void Progress::update(const std::vector<CameraProgress>& cameras, const RunProgress& run) {
  const double passed = run.now - drawn_;
  frames_.resize(cameras.size());
  rates_.resize(cameras.size());
  for (std::size_t i = 0; i < cameras.size() && passed > 0; ++i) {
    const double rate = static_cast<double>(cameras[i].frames - frames_[i]) / passed;
    rates_[i] = terminal_ && drawn_ > 0 ? 0.8 * rates_[i] + 0.2 * rate : rate;
    frames_[i] = cameras[i].frames;
  }
  drawn_ = run.now;

  const ProcessSample& process = run.process;
  std::string memory = fmt::format("{:.0f} MiB", process.resident_mib);
  if (process.device_mib >= 0) memory += fmt::format(", device {:.0f} MiB", process.device_mib);
  const std::uint64_t changed = run.readers.changed + run.readers.late_changed;
  const char* const warming = run.is_warming_up ? " (warming up)" : "";

  if (!terminal_) {
    std::string line = fmt::format("{:5.0f} s{} ", run.now, warming);
    for (std::size_t i = 0; i < cameras.size(); ++i) {
      line += fmt::format(" {} {:.0f} fps{}{}", cameras[i].name, rates_[i],
                          cameras[i].fault.empty() ? "" : " ", cameras[i].fault);
    }
    fmt::print("{}  faults {}/{}  slots {}+{}+{}  changed {}  {}\n", line, run.recovered,
               run.faults, process.active, process.cooling, process.free, changed, memory);
    std::fflush(stdout);
    return;
  }

  std::vector<std::string> lines;
  lines.push_back(fmt::format("{:<8} {:<11} {:<9} {:>6} {:>9} {:>5} {:>11} {}", "camera", "status",
                              "path", "fps", "frames", "held", "reconnects", "fault"));
  for (std::size_t i = 0; i < cameras.size(); ++i) {
    const CameraProgress& camera = cameras[i];
    lines.push_back(fmt::format("{:<8} {:<11} {:<9} {:>6.1f} {:>9} {:>5} {:>11} {}", camera.name,
                                camera.status, camera.path, rates_[i], camera.frames, camera.held,
                                camera.reconnects, camera.fault));
  }
  lines.push_back(fmt::format(
      "slots: {} active, {} cooling, {} free{}; memory {}", process.active, process.cooling,
      process.free,
      process.quarantined == 0 ? "" : fmt::format(", {} quarantined", process.quarantined),
      memory));
  lines.push_back(fmt::format("frames checked: {}, {} of them late; changed: {}",
                              run.readers.checked + run.readers.late_checked,
                              run.readers.late_checked, changed));
  lines.push_back(fmt::format("{:.0f} of {:.0f} s{}; faults: {} recovered of {}, {} to come",
                              run.now, run.length, warming, run.recovered, run.faults,
                              run.faults_left));
  if (lines_ > 0) fmt::print("\033[{}A", lines_);
  for (const std::string& line : lines) fmt::print("{}\033[K\n", line);
  lines_ = lines.size();
  std::fflush(stdout);
}

void Progress::note(const std::string& text) {
  // The cursor is below the picture, which is drawn anew below the note.
  if (lines_ > 0) fmt::print("\033[{}A\033[J", lines_);
  lines_ = 0;
  fmt::print("soak: {}\n", text);
  std::fflush(stdout);
}

}  // namespace soak
