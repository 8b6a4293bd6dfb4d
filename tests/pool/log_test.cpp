// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nv12slot {
namespace {

std::vector<std::string>* g_lines = nullptr;

TEST(Log, a_sink_gets_every_level_as_it_was_said) {
  std::vector<std::string> lines;
  g_lines = &lines;
  set_log_sink([](LogLevel level, std::string_view message) {
    g_lines->push_back(std::to_string(static_cast<int>(level)) + std::string(message));
  });
  log(LogLevel::kDebug, "a");
  log(LogLevel::kError, "b");
  set_log_sink(nullptr);
  EXPECT_EQ(lines, (std::vector<std::string>{"0a", "3b"}));
}

TEST(Log, without_a_sink_warnings_and_errors_go_to_stderr) {
  testing::internal::CaptureStderr();
  log(LogLevel::kDebug, "no");
  log(LogLevel::kInfo, "no");
  log(LogLevel::kWarning, std::string_view("POOL FULL and more").substr(0, 9));
  log(LogLevel::kError, "QUARANTINE");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "nv12slot warning: POOL FULL\nnv12slot error: QUARANTINE\n");
}

}  // namespace
}  // namespace nv12slot
