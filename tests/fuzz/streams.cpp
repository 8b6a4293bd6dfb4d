// SPDX-License-Identifier: LGPL-2.1-or-later
#include "streams.h"

extern "C" {
#include <libavutil/log.h>
}

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

namespace nv12slot::fuzz {
namespace {

constexpr std::chrono::seconds kLongest(20);

std::atomic<std::uint32_t> g_number{0};

std::uint32_t setting(const char* name, std::uint32_t otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : otherwise;
}

/// In a signal handler, where little is allowed.
void tell_number() {
  std::array<char, 12> digits{};
  std::size_t at = digits.size();
  std::uint32_t number = g_number.load();
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  constexpr char kText[] = "fuzz: this was stream number ";
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  written = write(STDERR_FILENO, digits.data() + at, digits.size() - at);
  written = write(STDERR_FILENO, "\n", 1);
}

void on_crash(int number) {
  tell_number();
  std::signal(number, SIG_DFL);
  raise(number);
}

/// Where a sanitizer has handlers of its own they stay: they abort in the end.
void catch_crashes() {
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    struct sigaction now {};
    sigaction(number, nullptr, &now);
    if (now.sa_handler == SIG_DFL) std::signal(number, on_crash);
  }
}

/// Ends the process when one stream takes too long.
class Watchdog {
 public:
  Watchdog() : thread_([this] { run(); }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void run() {
    std::unique_lock lock(mutex_);
    std::uint32_t number = g_number.load();
    auto since = std::chrono::steady_clock::now();
    while (!changed_.wait_for(lock, std::chrono::seconds(1), [this] { return is_over_; })) {
      const auto now = std::chrono::steady_clock::now();
      if (number != g_number.load()) {
        number = g_number.load();
        since = now;
      } else if (now - since > kLongest) {
        std::fputs("fuzz: a stream takes too long\n", stderr);
        std::abort();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace

void for_each_stream(const std::function<void(std::uint32_t number)>& play) {
  const std::uint32_t count =
      setting("NV12SLOT_FUZZ_STREAMS", 10000) * setting("NV12SLOT_FUZZ_SHARE", 100) / 100;
  const std::uint32_t first = setting("NV12SLOT_FUZZ_FIRST", 0);
  const auto began = std::chrono::steady_clock::now();
  g_number = first;
  catch_crashes();
  // FFmpeg has a line for each of a million damaged markers, and gst-libav, which encoded some of
  // the good streams, copies it.
  av_log_set_callback([](void*, int, const char*, va_list) {});
  {
    const Watchdog watchdog;
    for (std::uint32_t number = first; number != first + count; ++number) {
      g_number = number;
      SCOPED_TRACE("NV12SLOT_FUZZ_FIRST=" + std::to_string(number) + " NV12SLOT_FUZZ_STREAMS=1");
      play(number);
      if (testing::Test::HasFailure()) break;
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%u damaged streams in %.1f s\n", count, took.count());
}

}  // namespace nv12slot::fuzz
