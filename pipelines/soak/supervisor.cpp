// SPDX-License-Identifier: LGPL-2.1-or-later
#include "supervisor.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "record_file.h"
#include "report.h"
#include "run.h"
#include "temporary_folder.h"

namespace soak {
namespace {

/// What the child has for going, once it said that it had finished.
constexpr unsigned kExitSeconds = 20;

int run_child(const Options& options, const std::string& folder) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  try {
    const int status = run(options, folder);
    alarm(kExitSeconds);  // from here on only exit handlers run
    return status;
  } catch (const std::exception& error) {
    fmt::print(stderr, "soak: {}\n", error.what());
    return 2;
  }
}

/// Waits for the child, and hands Ctrl-C on to it: the first one asks it to end with its report,
/// the second one ends it.
int wait_for(pid_t child, const sigset_t& signals) {
  bool was_asked = false;
  for (;;) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return status;
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal != SIGINT && signal != SIGTERM) continue;
    kill(child, was_asked ? SIGKILL : SIGTERM);
    was_asked = true;
  }
}

std::string describe_status(int status) {
  if (WIFEXITED(status)) return std::to_string(WEXITSTATUS(status));
  if (WTERMSIG(status) == SIGALRM) return "that never came: it hung on its way out";
  return fmt::format("none: killed by {}", strsignal(WTERMSIG(status)));
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path + "; is its folder there?");
}

}  // namespace

int write_reports(const Record& record, const Options& options) {
  const std::vector<Line> lines = make_checklist(record);
  fmt::print("\n{}", text_report(record, lines));
  std::fflush(stdout);
  if (!options.json.empty()) write_file(options.json, json_report(record, lines));
  if (!options.html.empty()) write_file(options.html, html_report(record, lines));
  return all_pass(lines) ? 0 : 1;
}

int supervise(const Options& options) {
  // Before hours are spent on what cannot be written.
  for (const std::string& path : {options.json, options.html}) {
    if (!path.empty()) write_file(path, "");
  }
  const TemporaryFolder folder("nv12slot-soak");
  // Blocked, so that none comes between two looks.
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGINT, SIGTERM}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot start a process");
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    std::exit(run_child(options, folder.path()));
  }
  const int status = wait_for(child, signals);
  sigprocmask(SIG_SETMASK, &before, nullptr);

  std::optional<Record> record = read_record(folder.path());
  if (!record) {
    if (!WIFEXITED(status)) {
      fmt::print(stderr, "soak: it ended before it began, with status {}\n",
                 describe_status(status));
    }
    return 2;
  }
  record->exit.status = describe_status(status);
  record->exit.is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return write_reports(*record, options);
}

}  // namespace soak
