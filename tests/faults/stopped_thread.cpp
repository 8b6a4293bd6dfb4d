// SPDX-License-Identifier: LGPL-2.1-or-later
#include "stopped_thread.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace nv12slot::gst {
namespace {

using std::chrono::milliseconds;

constexpr int kLongestMilliseconds = 20'000;

std::atomic<bool> g_stop{false};
std::atomic<std::size_t> g_standing{0};

// On the thread that is stopped: only what a signal handler may do.
void stand_still(int) {
  ++g_standing;
  const timespec pause = {0, 1'000'000};
  for (int i = 0; g_stop && i < kLongestMilliseconds; ++i) nanosleep(&pause, nullptr);
  --g_standing;
}

std::vector<int> find_threads(const std::string& name) {
  std::vector<int> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string comm;
    std::ifstream(task.path() / "comm") >> comm;
    if (comm == name) found.push_back(std::stoi(task.path().filename()));
  }
  return found;
}

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 10000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds(1));
  return condition();
}

}  // namespace

StoppedThread::StoppedThread(const std::string& name) {
  struct sigaction action = {};
  action.sa_handler = stand_still;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &action, nullptr);
  if (!eventually([&] { return !(threads_ = find_threads(name)).empty(); })) return;
  g_stop = true;
  for (const int thread : threads_) syscall(SYS_tgkill, getpid(), thread, SIGUSR2);
  is_stopped_ = eventually([&] { return g_standing == threads_.size(); });
}

StoppedThread::~StoppedThread() {
  g_stop = false;
  eventually([] { return g_standing == 0; });
}

}  // namespace nv12slot::gst
