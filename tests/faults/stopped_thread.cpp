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

std::atomic<bool> g_stop{false};
std::atomic<bool> g_stands{false};

// On the thread that is stopped: only what a signal handler may do.
void stand_still(int) {
  g_stands = true;
  const timespec pause = {0, 1'000'000};
  while (g_stop) nanosleep(&pause, nullptr);
  g_stands = false;
}

int find_thread(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string comm;
    std::ifstream(task.path() / "comm") >> comm;
    if (comm == name) return std::stoi(task.path().filename());
  }
  return 0;
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
  int thread = 0;
  if (!eventually([&] { return (thread = find_thread(name)) != 0; })) return;
  g_stop = true;
  syscall(SYS_tgkill, getpid(), thread, SIGUSR2);
  is_stopped_ = eventually([] { return g_stands.load(); });
}

StoppedThread::~StoppedThread() {
  g_stop = false;
  eventually([] { return !g_stands.load(); });
}

}  // namespace nv12slot::gst
