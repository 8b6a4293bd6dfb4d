// SPDX-License-Identifier: LGPL-2.1-or-later
#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "config.h"

namespace soak {
namespace {

constexpr int kMostCameras = 64;

std::string names_of_faults() {
  std::string names;
  for (const FaultKind kind : kAllFaults)
    names += std::string(names.empty() ? "" : ",") + to_string(kind);
  return names;
}

/// "640x480" into width and height; an empty string, or what is wrong with it.
std::string read_size(const std::string& text, int& width, int& height) {
  char rest = 0;
  if (std::sscanf(text.c_str(), "%dx%d%c", &width, &height, &rest) == 2 && width >= 32 &&
      height >= 32 && width <= 8192 && height <= 8192 && width % 2 == 0 && height % 2 == 0) {
    return {};
  }
  return "a size is two even numbers of pixels such as 640x480, each from 32 to 8192, not " + text;
}

void add_size(CLI::App& app, int& width, int& height) {
  app.add_option_function<std::string>(
         "--size",
         [&](const std::string& text) {
           const std::string wrong = read_size(text, width, height);
           if (!wrong.empty()) throw CLI::ValidationError("--size", wrong);
         },
         "size of the simulated cameras' pictures")
      ->default_str(fmt::format("{}x{}", width, height));
}

void read_faults(const std::string& text, std::vector<FaultKind>& faults) {
  faults.clear();
  if (text == "none") return;
  for (const std::string& word : CLI::detail::split(text, ',')) {
    const std::optional<FaultKind> kind = fault_kind(word);
    if (!kind) {
      throw CLI::ValidationError("--faults", fmt::format("{} is no fault; there are {}, and none",
                                                         word, names_of_faults()));
    }
    faults.push_back(*kind);
  }
}

void add_soak_options(CLI::App& app, Options& options) {
  app.add_option("--uri", options.uris, "a camera (rtsp://…) or a file; any number of times")
      ->allow_extra_args(false);
  app.add_option("--simulate", options.simulate, "so many cameras, served by a child process")
      ->check(CLI::Range(0, kMostCameras));
  add_size(app, options.width, options.height);
  app.add_option("--fps", options.fps, "pictures a second of the simulated cameras")
      ->check(CLI::Range(1, 120))
      ->capture_default_str();
  app.add_option("--clip", options.clips,
                 "an H.264 byte stream without B-pictures for the simulated cameras to play at "
                 "--fps, over and over, in place of what is made by --size; any number of times")
      ->allow_extra_args(false)
      ->check(CLI::ExistingFile);
  app.add_option("--seconds", options.seconds, "how long to run")
      ->check(CLI::Range(5.0, 1e7))
      ->capture_default_str();
  app.add_option("--warm-up", options.warm_up,
                 "of these, before faults come and anything is judged")
      ->check(CLI::Range(2.0, 1e5))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the faults' schedule and the readers' choices")
      ->capture_default_str();

  app.add_option_function<std::string>(
         "--faults", [&](const std::string& text) { read_faults(text, options.faults); },
         "which faults come, of " + names_of_faults() + "; or none")
      ->default_str("all");
  app.add_option("--fault-every", options.fault_every, "seconds from fault to fault")
      ->check(CLI::Range(0.5, 1e6))
      ->capture_default_str();

  app.add_option("--readers", options.readers, "consumers, each of all cameras")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  app.add_option("--hold", options.hold, "frames of each camera that a reader keeps")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--late", options.late_ms,
                 "milliseconds for which readers read frames on after letting them go, without a "
                 "fence; the pool's cooldown must be longer. 0: never")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  app.add_option("--kernel", options.kernel_ms,
                 "milliseconds that a kernel reads a frame of a device")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();

  app.add_option("--device", options.device, "CUDA device to decode on; -1: the host")
      ->check(CLI::Range(-1, 31))
      ->default_str("0 where there is one, else -1");
  app.add_option_function<std::vector<std::string>>(
         "--set",
         [&](const std::vector<std::string>& all) {
           for (const std::string& text : all) {
             const std::size_t equals = text.find('=');
             if (equals == std::string::npos || equals == 0) {
               throw CLI::ValidationError(
                   "--set", "give a property of nv12slotsrc as NAME=VALUE, not " + text);
             }
             options.properties.emplace_back(text.substr(0, equals), text.substr(equals + 1));
           }
         },
         "NAME=VALUE: a property of every nv12slotsrc; any number of times")
      ->allow_extra_args(false);
  app.add_option("--pool-cap", options.pool_cap, "slots of the pool in each domain")
      ->check(CLI::Range(1, 4096))
      ->default_str("what the cameras need");
  app.add_option("--pool-cooldown", options.pool_cooldown_ms, "cooldown of the pool, milliseconds")
      ->check(CLI::Range(0.0, 10000.0))
      ->default_str("the process' own: 50");

  app.add_option("--expect-path", options.limits.path, "what must decode: nvdec, software, or any")
      ->check(CLI::IsMember({"nvdec", "software", "any"}))
      ->default_str("nvdec on a device, else any");
  app.add_option("--gap-limit", options.limits.gap_ms,
                 "longest gap between two frames outside of faults, milliseconds")
      ->check(CLI::Range(10.0, 1e6))
      ->capture_default_str();
  app.add_option("--recovery-limit", options.limits.recovery,
                 "seconds within which a camera must have recovered")
      ->check(CLI::Range(1.0, 1e5))
      ->capture_default_str();
  app.add_option("--stop-limit", options.limits.stop_ms,
                 "milliseconds within which a camera must have been taken down")
      ->check(CLI::Range(1.0, 1e6))
      ->capture_default_str();
  app.add_option("--slow-frames", options.limits.slow_frames, "SLOW FRAMEs that are allowed")
      ->capture_default_str();
  app.add_option("--memory-limit", options.limits.memory_mib,
                 "MiB that memory may grow by after the warm-up")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();

  app.add_option("--html", options.html, "write the report as a page to this file");
  app.add_option("--json", options.json, "write the report and all it is made of to this file");
}

void add_serve_options(CLI::App& app, ServeSettings& serve) {
  app.add_option("--cameras", serve.cameras)->required();
  app.add_option("--port", serve.port);
  app.add_option("--parent", serve.parent);
  app.add_option("--folder", serve.clips.folder)->required();
  app.add_option("--clips", serve.clips.clips);
  app.add_option("--clip", serve.clips.files)->allow_extra_args(false);
  app.add_option("--fps", serve.clips.fps);
  add_size(app, serve.clips.width, serve.clips.height);
}

/// What is wrong with options that are right one by one; empty: nothing.
std::string check(const Options& options) {
  if (options.cameras() == 0) return "no cameras; give --simulate N or --uri URI";
  if (options.cameras() > kMostCameras) {
    return fmt::format("{} cameras; {} are the most", options.cameras(), kMostCameras);
  }
  if (options.seconds < options.warm_up + 3) {
    return fmt::format(
        "--seconds {} leaves no time after the warm-up of {} s; make it longer by 3 s at least, or "
        "shorten --warm-up",
        options.seconds, options.warm_up);
  }
  return {};
}

}  // namespace

Task parse(int argc, char** argv) {
  Task task;
  Options& options = task.options;
  options.faults.assign(std::begin(kAllFaults), std::end(kAllFaults));
  CLI::App app(
      "Plays cameras into nv12slot for a long time, does to them what networks do, and "
      "says whether everything held.",
      "nv12slot-soak");
  app.set_version_flag("--version", PACKAGE_VERSION);
  add_soak_options(app, options);
  CLI::App* report = app.add_subcommand("report", "Writes reports from an earlier run's --json.");
  report->add_option("file", task.report, "the JSON report")->required()->check(CLI::ExistingFile);
  report->add_option("--html", options.html, "write the page to this file");
  // For the program itself.
  CLI::App* server = app.add_subcommand("serve", "")->group("");
  add_serve_options(*server, task.serve);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    task.kind = Task::Kind::kNothing;
    task.status = app.exit(error) == 0 ? 0 : 2;
    return task;
  }
  if (server->parsed()) {
    task.kind = Task::Kind::kServe;
    return task;
  }
  if (report->parsed()) {
    task.kind = Task::Kind::kReport;
    return task;
  }
  if (const std::string wrong = check(options); !wrong.empty()) {
    fmt::print(stderr, "soak: {}\n", wrong);
    task.kind = Task::Kind::kNothing;
    task.status = 2;
    return task;
  }
  for (int i = 0; i < argc; ++i)
    options.command += fmt::format("{}{}", i > 0 ? " " : "", i > 0 ? argv[i] : "nv12slot-soak");
  // A password has no place in a report.
  for (std::size_t at = 0; (at = options.command.find("://", at)) != std::string::npos; at += 3) {
    const std::size_t end = options.command.find_first_of("/ ", at + 3);
    const std::size_t host = options.command.substr(0, end).rfind('@');
    if (host != std::string::npos && host > at) options.command.erase(at + 3, host - at - 2);
  }
  options.expects_any_path = options.limits.path == "any";
  if (options.expects_any_path) options.limits.path.clear();
  return task;
}

}  // namespace soak
