// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/log.h"

#include <atomic>
#include <cstdio>

namespace nv12slot {
namespace {

void log_to_stderr(LogLevel level, std::string_view message) {
  if (level < LogLevel::kWarning) return;
  // One call, so that lines of different threads do not mix.
  std::fprintf(stderr, "nv12slot %s: %.*s\n", level == LogLevel::kError ? "error" : "warning",
               static_cast<int>(message.size()), message.data());
}

// Constant-initialised and never destroyed: modules log from their initialisers and at exit.
constinit std::atomic<LogSink> g_sink{&log_to_stderr};

}  // namespace

void set_log_sink(LogSink sink) {
  g_sink.store(sink != nullptr ? sink : &log_to_stderr);
}

void log(LogLevel level, std::string_view message) {
  g_sink.load()(level, message);
}

}  // namespace nv12slot
