// SPDX-License-Identifier: LGPL-2.1-or-later
#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace soak {

std::string text_report(const Record& record, const std::vector<Line>& lines) {
  std::size_t widest = 0;
  for (const Line& line : lines) widest = std::max(widest, line.title.size());
  std::string text;
  for (const Line& line : lines) {
    text += fmt::format("{} {:<{}}  {}\n", line.pass ? "PASS" : "FAIL", line.title, widest,
                        line.figure);
  }
  const auto failed =
      std::count_if(lines.begin(), lines.end(), [](const Line& line) { return !line.pass; });
  text +=
      fmt::format("soak: {} after {:.0f} s, seed {}{}\n",
                  failed == 0 ? "PASS" : fmt::format("FAIL: {} of {} lines", failed, lines.size()),
                  record.length, record.seed, record.exit.early ? ", ended early" : "");
  return text;
}

std::string json_report(const Record& record, const std::vector<Line>& lines) {
  nlohmann::json checklist = nlohmann::json::array();
  for (const Line& line : lines) {
    checklist.push_back(
        {{"id", line.id}, {"title", line.title}, {"pass", line.pass}, {"figure", line.figure}});
  }
  const nlohmann::json json = {
      {"pass", all_pass(lines)}, {"checklist", std::move(checklist)}, {"record", record}};
  // What a driver or a camera says of itself may be no UTF-8.
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Record record_of_report(const std::string& json) {
  try {
    return nlohmann::json::parse(json).at("record").get<Record>();
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("this is no report of nv12slot-soak: ") + error.what());
  }
}

}  // namespace soak
