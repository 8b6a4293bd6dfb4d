// SPDX-License-Identifier: LGPL-2.1-or-later
#include "process_counts.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace nv12slot::bench {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

unsigned count_entries(const char* folder) {
  unsigned count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) ++count;
  return count;
}

/// Fields 14 and 15 of proc(5)'s stat, counted from behind the name, which may have spaces.
std::uint64_t ticks_of(const std::string& stat) {
  const std::size_t end_of_name = stat.rfind(')');
  if (end_of_name == std::string::npos) return 0;
  std::size_t at = end_of_name + 1;
  for (int field = 2; field < 14; ++field) at = stat.find(' ', at + 1);
  std::size_t length = 0;
  const std::uint64_t user = std::stoull(stat.substr(at - 1), &length);
  return user + std::stoull(stat.substr(at - 1 + length));
}

}  // namespace

ThreadTimes times_of_threads(const std::vector<std::string_view>& names) {
  ThreadTimes times{};
  std::error_code gone;  // a thread may end meanwhile
  for (const auto& task : fs::directory_iterator("/proc/self/task", gone)) {
    const std::string name = first_line(task.path() / "comm");
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    ++times.threads;
    times.ticks += ticks_of(first_line(task.path() / "stat"));
    std::ifstream scheduler(task.path() / "schedstat");
    std::int64_t on_cpu = 0;
    if (scheduler >> on_cpu) times.exact += std::chrono::nanoseconds(on_cpu);
  }
  return times;
}

ProcessCounts process_counts() {
  malloc_trim(0);
  ProcessCounts counts;
  counts.threads = count_entries("/proc/self/task");
  counts.files = count_entries("/proc/self/fd");
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  counts.resident = resident * static_cast<double>(sysconf(_SC_PAGESIZE));
  return counts;
}

ProcessCounts settled_process_counts(std::chrono::milliseconds time) {
  ProcessCounts least = process_counts();
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const ProcessCounts counts = process_counts();
    least.threads = std::min(least.threads, counts.threads);
    least.files = std::min(least.files, counts.files);
    least.resident = std::min(least.resident, counts.resident);
  }
  return least;
}

}  // namespace nv12slot::bench
