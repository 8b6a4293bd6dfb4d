// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checklist.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace soak {
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string plural(std::uint64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

Line frames(const Record& record) {
  Line line{"frames", "every camera gave frames", !record.cameras.empty(), ""};
  std::uint64_t all = 0;
  const CameraRecord* fewest = nullptr;
  for (const CameraRecord& camera : record.cameras) {
    all += camera.frames;
    if (fewest == nullptr || camera.frames < fewest->frames) fewest = &camera;
  }
  if (fewest == nullptr) return line;
  line.pass = fewest->frames > 0;
  line.figure = fmt::format("{} of {}; fewest {} of {}", plural(all, "frame"),
                            plural(record.cameras.size(), "camera"), fewest->frames, fewest->name);
  return line;
}

Line path(const Record& record) {
  Line line{"path", "path taken", true, ""};
  std::map<std::string, unsigned> cameras;
  for (const CameraRecord& camera : record.cameras) {
    if (camera.paths.empty()) line.pass = false;
    for (const std::string& path : camera.paths) {
      ++cameras[path];
      if (!record.limits.path.empty() && path != record.limits.path) line.pass = false;
    }
  }
  for (const auto& [path, count] : cameras) {
    line.figure +=
        fmt::format("{}{}: {}", line.figure.empty() ? "" : ", ", path, plural(count, "camera"));
  }
  if (cameras.empty()) line.figure = "none";
  if (!record.limits.path.empty()) line.figure += fmt::format("; expected {}", record.limits.path);
  return line;
}

Line pool_full(const Record& record) {
  return {"pool-full", "POOL FULL never", record.end.pool_full == 0,
          plural(record.end.pool_full, "time")};
}

Line slow_frames(const Record& record) {
  return {"slow-frames", "no SLOW FRAME", record.end.slow_frames <= record.limits.slow_frames,
          fmt::format("{}, {} allowed", record.end.slow_frames, record.limits.slow_frames)};
}

Line faults(const Record& record) {
  Line line{"faults", "every fault recovered", true, ""};
  std::size_t recovered = 0;
  std::map<std::string, unsigned> kinds;
  const FaultRecord* slowest = nullptr;
  const auto took = [](const FaultRecord& fault) { return *fault.recovered - *fault.lifted; };
  for (const FaultRecord& fault : record.faults) {
    ++kinds[fault.kind];
    if (!fault.recovered || !fault.lifted) continue;
    ++recovered;
    if (slowest == nullptr || took(fault) > took(*slowest)) slowest = &fault;
  }
  line.pass = recovered == record.faults.size();
  line.figure = fmt::format("{} of {}", recovered, record.faults.size());
  std::string by_kind;
  for (const auto& [kind, count] : kinds) {
    by_kind += fmt::format("{}{} {}", by_kind.empty() ? "" : ", ", count, kind);
  }
  if (!by_kind.empty()) line.figure += fmt::format(" ({})", by_kind);
  if (slowest != nullptr) {
    line.figure +=
        fmt::format("; slowest {:.1f} s ({} at {:.0f} s), {:.0f} s allowed", took(*slowest),
                    slowest->kind, slowest->begun, record.limits.recovery);
    line.pass = line.pass && took(*slowest) <= record.limits.recovery;
  }
  // A fault that never came is no fault that was survived.
  if (record.faults_left > 0 && !record.exit.early) {
    line.pass = false;
    line.figure +=
        fmt::format("; {} never came: the cameras were not well in time", record.faults_left);
  }
  return line;
}

Line gaps(const Record& record) {
  Line line{"gaps", "no gap on a camera that was not faulted", true, ""};
  const CameraRecord* longest = nullptr;
  unsigned over = 0;
  for (const CameraRecord& camera : record.cameras) {
    over += camera.gaps_over_limit;
    if (longest == nullptr || camera.longest_gap_ms > longest->longest_gap_ms) longest = &camera;
  }
  if (longest == nullptr) return line;
  line.pass = over == 0;
  line.figure =
      fmt::format("longest {:.0f} ms ({} at {:.0f} s), {:.0f} ms allowed", longest->longest_gap_ms,
                  longest->name, longest->longest_gap_at, record.limits.gap_ms);
  if (over > 0) line.figure += fmt::format("; {} longer than that", over);
  return line;
}

Line contents(const Record& record) {
  const ReaderRecord& readers = record.readers;
  Line line{"contents", "frames never changed under a reader", false, ""};
  const std::uint64_t changed = readers.changed + readers.late_changed;
  // Nothing checked is nothing shown.
  line.pass = changed == 0 && readers.without_slot == 0 && readers.checked > 0;
  line.figure = fmt::format("{} changed of {} held and {} read late", changed, readers.checked,
                            readers.late_checked);
  if (readers.late_unjudged + readers.skipped > 0) {
    line.figure += fmt::format("; {} not judged, as the machine was too slow",
                               readers.late_unjudged + readers.skipped);
  }
  if (readers.without_slot > 0) {
    line.figure += fmt::format("; {} were no slot frames", readers.without_slot);
  }
  if (!line.pass && !readers.first_fault.empty()) line.figure += "; first: " + readers.first_fault;
  return line;
}

Line memory(const Record& record) {
  Line line{"memory", "memory flat after the warm-up", true, ""};
  std::vector<double> resident, device;
  for (const ProcessSample& sample : record.samples) {
    if (sample.at < record.warm_up) continue;
    resident.push_back(sample.resident_mib);
    if (sample.device_mib >= 0) device.push_back(sample.device_mib);
  }
  if (resident.size() < 4) {
    line.pass = false;
    line.figure = "too short to tell";
    return line;
  }
  const double grown = growth(resident);
  line.pass = grown <= record.limits.memory_mib;
  line.figure = fmt::format("resident {:.0f} MiB, {:+.1f} MiB", resident.back(), grown);
  if (device.size() >= 4) {
    const double device_grown = growth(device);
    line.pass = line.pass && device_grown <= record.limits.memory_mib;
    line.figure +=
        fmt::format("; on the device {:.0f} MiB, {:+.1f} MiB", device.back(), device_grown);
  }
  line.figure += fmt::format("; {:.0f} MiB allowed", record.limits.memory_mib);
  return line;
}

Line warm(const Record& record) {
  Line line{"warm", "no allocation, free, device-wide wait or decoder after the warm-up", false,
            ""};
  const Counters &before = record.warm, &after = record.end;
  const std::uint64_t made = after.slots_made - before.slots_made;
  const std::uint64_t freed = after.slots_freed - before.slots_freed;
  const std::uint64_t opened = after.decoders_opened - before.decoders_opened;
  // Decoders of the CPU open in no time and are not kept; one of NVDEC whose stream was damaged is
  // not kept either.
  const bool in_hardware =
      std::any_of(record.cameras.begin(), record.cameras.end(), [](const CameraRecord& camera) {
        return std::find(camera.paths.begin(), camera.paths.end(), "nvdec") != camera.paths.end();
      });
  const auto damaged = static_cast<std::uint64_t>(std::count_if(
      record.faults.begin(), record.faults.end(),
      [](const FaultRecord& fault) { return fault.kind == to_string(FaultKind::kFlip); }));
  line.pass = made == 0 && freed == 0 && (!in_hardware || opened <= damaged);
  line.figure = fmt::format("{} made and {} freed; {} opened", plural(made, "slot"), freed,
                            plural(opened, "decoder"));
  if (!in_hardware && opened > 0) {
    line.figure += " (software: they are not kept)";
  } else if (opened > 0) {
    line.figure += fmt::format(" ({} allowed, for damaged streams)", damaged);
  }
  std::string calls;
  for (const auto& [name, count] : after.driver_calls) {
    const auto found = before.driver_calls.find(name);
    const std::uint64_t more =
        count - (found != before.driver_calls.end() ? found->second : std::uint64_t{0});
    if (more == 0) continue;
    line.pass = false;
    calls += fmt::format("{}{} × {}", calls.empty() ? "" : ", ", more, name);
  }
  if (!calls.empty()) {
    line.figure += "; of the driver: " + calls;
  } else if (!after.driver_calls.empty()) {
    line.figure += "; no call of the driver that allocates, frees or waits for the device";
  } else if (record.device >= 0) {
    line.figure += "; calls of the driver were not counted";
  }
  return line;
}

Line clean_exit(const Record& record) {
  Line line{"exit", "clean exit", false, ""};
  const CameraRecord* slowest = nullptr;
  std::uint64_t abandoned = 0;
  std::string error;
  for (const CameraRecord& camera : record.cameras) {
    abandoned += camera.teardowns_abandoned;
    if (slowest == nullptr || camera.slowest_stop_ms > slowest->slowest_stop_ms) slowest = &camera;
    if (error.empty() && !camera.errors.empty()) error = camera.name + ": " + camera.errors[0];
  }
  const unsigned quarantined = record.samples.empty() ? 0 : record.samples.back().quarantined;
  const double stop_ms = slowest != nullptr ? slowest->slowest_stop_ms : 0;
  line.pass = record.exit.finished && record.exit.is_clean && record.exit.active == 0 &&
              quarantined == 0 && stop_ms <= record.limits.stop_ms && error.empty();
  line.figure = record.exit.finished ? "" : "it did not come to its end; ";
  line.figure += fmt::format("status {}; {} not given back, {} quarantined", record.exit.status,
                             plural(record.exit.active, "slot"), quarantined);
  line.figure += fmt::format("; slowest camera taken down in {:.0f} ms, {:.0f} ms allowed", stop_ms,
                             record.limits.stop_ms);
  if (abandoned > 0) line.figure += fmt::format("; {} abandoned on their way down", abandoned);
  if (!error.empty()) line.figure += "; " + error;
  return line;
}

}  // namespace

double growth(const std::vector<double>& values) {
  const auto quarter = static_cast<std::ptrdiff_t>(values.size() / 4);
  if (quarter == 0) return 0;
  return median({values.end() - quarter, values.end()}) -
         median({values.begin(), values.begin() + quarter});
}

std::vector<Line> make_checklist(const Record& record) {
  return {frames(record), path(record),      pool_full(record), slow_frames(record),
          faults(record), gaps(record),      contents(record),  memory(record),
          warm(record),   clean_exit(record)};
}

bool all_pass(const std::vector<Line>& lines) {
  return std::all_of(lines.begin(), lines.end(), [](const Line& line) { return line.pass; });
}

}  // namespace soak
