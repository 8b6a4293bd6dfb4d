// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

// What Linux counts of this process. Any thread.
namespace nv12slot::bench {

/// User and system time of some threads.
struct ThreadTimes {
  unsigned threads = 0;
  std::uint64_t ticks = 0;         ///< of 1/sysconf(_SC_CLK_TCK) s, each thread's rounded down
  std::chrono::nanoseconds exact;  ///< the scheduler's count; 0 where it keeps none
};

/// Of the threads of this process with one of these names.
[[nodiscard]] ThreadTimes times_of_threads(const std::vector<std::string_view>& names);

struct ProcessCounts {
  unsigned threads = 0;
  unsigned files = 0;   ///< file descriptors that are open
  double resident = 0;  ///< bytes, without what malloc() keeps for later
};
[[nodiscard]] ProcessCounts process_counts();

/// The least of each over `time`, as threads end when they get to it.
[[nodiscard]] ProcessCounts settled_process_counts(std::chrono::milliseconds time);

}  // namespace nv12slot::bench
