// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

// docs/faults.md, which is the list of what the tests expect.
namespace nv12slot::gst {

/// A row of a table: its cells, without the bars and the blanks around them.
using Row = std::vector<std::string>;

/// The rows of the tables under each heading ("## ..."), without those of the columns' names.
class Page {
 public:
  static const Page& get();

  [[nodiscard]] const std::vector<Row>& under(const std::string& heading) const;
  /// The row whose first cell is `name` in code quotes; nullptr if there is none.
  [[nodiscard]] const Row* find(const std::string& heading, const std::string& name) const;
  /// Of the table of messages: the word for the one that has been said; the text itself, in quotes,
  /// where the page does not know it.
  [[nodiscard]] std::string word_for(const std::string& text) const;

 private:
  Page();

  std::map<std::string, std::vector<Row>> tables_;
};

}  // namespace nv12slot::gst
