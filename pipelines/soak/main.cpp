// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slot-soak: cameras for a long time, with faults on a schedule and readers that hold their
// frames, and at the end a checklist that says whether everything held. docs/soak.md.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>

#include "options.h"
#include "report.h"
#include "server.h"
#include "supervisor.h"

namespace {

int write_reports_of(const soak::Task& task) {
  std::ostringstream text;
  text << std::ifstream(task.report).rdbuf();
  return soak::write_reports(soak::record_of_report(text.str()), task.options);
}

}  // namespace

int main(int argc, char** argv) {
  const soak::Task task = soak::parse(argc, argv);
  try {
    switch (task.kind) {
      case soak::Task::Kind::kSoak:
        return soak::supervise(task.options);
      case soak::Task::Kind::kServe:
        return soak::serve(task.serve);
      case soak::Task::Kind::kReport:
        return write_reports_of(task);
      case soak::Task::Kind::kNothing:
        return task.status;
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "soak: {}\n", error.what());
  }
  return 2;
}
