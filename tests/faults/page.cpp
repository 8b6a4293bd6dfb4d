// SPDX-License-Identifier: LGPL-2.1-or-later
#include "page.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace nv12slot::gst {
namespace {

constexpr const char* kMessages = "Messages";

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

Page::Page() {
  std::ifstream file(NV12SLOT_FAULTS_PAGE);
  EXPECT_TRUE(file) << NV12SLOT_FAULTS_PAGE;
  std::string heading;
  bool is_below_columns = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) heading = line.substr(3);
    if (!line.starts_with("|")) {
      is_below_columns = false;
    } else if (line.starts_with("|---")) {
      is_below_columns = true;
    } else if (is_below_columns) {
      std::istringstream cells(line.substr(1));
      Row row;
      for (std::string cell; std::getline(cells, cell, '|');) row.push_back(trimmed(cell));
      tables_[heading].push_back(std::move(row));
    }
  }
}

const Page& Page::get() {
  static const Page page;
  return page;
}

const std::vector<Row>& Page::under(const std::string& heading) const {
  static const std::vector<Row> none;
  const auto found = tables_.find(heading);
  return found != tables_.end() ? found->second : none;
}

const Row* Page::find(const std::string& heading, const std::string& name) const {
  for (const Row& row : under(heading)) {
    if (row[0] == "`" + name + "`") return &row;
  }
  return nullptr;
}

std::string Page::word_for(const std::string& text) const {
  for (const Row& row : under(kMessages)) {
    if (text.find(row[1]) != std::string::npos) return row[0];
  }
  return "\"" + text + "\"";
}

}  // namespace nv12slot::gst
