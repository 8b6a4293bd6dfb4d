// SPDX-License-Identifier: LGPL-2.1-or-later
#include "report.h"

#include <gtest/gtest.h>

#include <regex>

#include "a_record.h"
#include "plot.h"

namespace soak {
namespace {

std::string html_of(const Record& record) {
  return html_report(record, make_checklist(record));
}

TEST(ReportTest, text_has_a_line_for_each_and_the_verdict) {
  Record record = good_record();
  EXPECT_NE(text_report(record, make_checklist(record)).find("soak: PASS after 30 s, seed 3"),
            std::string::npos);
  record.end.pool_full = 1;
  const std::string text = text_report(record, make_checklist(record));
  EXPECT_NE(text.find("FAIL POOL FULL never"), std::string::npos) << text;
  EXPECT_NE(text.find("soak: FAIL: 1 of 10 lines"), std::string::npos) << text;
}

TEST(ReportTest, record_comes_back_from_its_json) {
  Record record = good_record();
  record.end.driver_calls["cuMemFree_v2"] = 2;
  const Record read = record_of_report(json_report(record, make_checklist(record)));
  EXPECT_EQ(nlohmann::json(read), nlohmann::json(record));
  EXPECT_EQ(read.cameras[1].name, "cam1");
  EXPECT_EQ(read.faults[0].recovered, 13);
}

TEST(ReportTest, missing_times_come_back_as_missing) {
  Record record = good_record();
  record.faults[0].recovered.reset();
  EXPECT_FALSE(record_of_report(json_report(record, {})).faults[0].recovered);
}

TEST(ReportTest, json_says_which_lines_passed) {
  Record record = good_record();
  record.readers.changed = 1;
  const auto json = nlohmann::json::parse(json_report(record, make_checklist(record)));
  EXPECT_FALSE(json.at("pass"));
  for (const auto& line : json.at("checklist")) {
    EXPECT_EQ(line.at("pass"), line.at("id") != "contents");
  }
}

TEST(ReportTest, something_else_is_refused) {
  EXPECT_THROW(static_cast<void>(record_of_report("no JSON")), std::runtime_error);
  EXPECT_THROW(static_cast<void>(record_of_report("{}")), std::runtime_error);
}

TEST(ReportTest, page_needs_nothing_but_itself) {
  const std::string html = html_of(good_record());
  for (const char* outside : {"<script", "http://", "https://", "src=", "url(", "@import"}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
  EXPECT_NE(html.find("prefers-color-scheme: dark"), std::string::npos);
}

TEST(ReportTest, page_shows_every_camera_in_its_charts) {
  const std::string html = html_of(good_record());
  for (const char* label :
       {"Processing time of cam0", "Processing time of cam1", "Longest frame gap of cam1",
        "Slots by state", "Resident memory of the process", "Reconnects"}) {
    EXPECT_NE(html.find(std::string("aria-label=\"") + label), std::string::npos) << label;
  }
  EXPECT_EQ(html.find("In use on the device"), std::string::npos);
}

TEST(ReportTest, page_shows_what_is_in_use_on_a_device_where_there_is_one) {
  Record record = good_record();
  for (ProcessSample& sample : record.samples) sample.device_mib = 500;
  EXPECT_NE(html_of(record).find("In use on the device"), std::string::npos);
}

TEST(ReportTest, page_of_a_run_that_ended_at_once_is_whole) {
  const std::string html = html_of(Record());
  EXPECT_NE(html.find("</html>"), std::string::npos);
}

TEST(ReportTest, page_has_numbers_only_where_it_draws) {
  Record record = good_record();
  record.length = 0;
  record.cameras[0].samples.clear();
  const std::string html = html_of(record);
  EXPECT_FALSE(std::regex_search(html, std::regex("\"-?(nan|inf)")));
}

TEST(ReportTest, text_from_outside_is_escaped) {
  Record record = good_record();
  record.cameras[0].name = "<b>&\"";
  const std::string html = html_of(record);
  EXPECT_EQ(html.find("<b>&"), std::string::npos);
  EXPECT_NE(html.find("&lt;b&gt;&amp;&quot;"), std::string::npos);
}

TEST(PlotTest, ticks_are_round) {
  EXPECT_EQ(nice_ticks(9, 4), (std::vector<double>{0, 5}));
  EXPECT_EQ(nice_ticks(40, 4), (std::vector<double>{0, 10, 20, 30, 40}));
  EXPECT_EQ(nice_ticks(0, 4), (std::vector<double>{0}));
}

TEST(PlotTest, ticks_of_time_are_those_of_clocks) {
  EXPECT_EQ(time_ticks(60, 4), (std::vector<double>{0, 15, 30, 45, 60}));
  EXPECT_EQ(time_ticks(7200, 4), (std::vector<double>{0, 1800, 3600, 5400, 7200}));
  EXPECT_LE(time_ticks(30 * 86400, 4).size(), 20U);
}

TEST(PlotTest, times_are_told_in_the_unit_of_the_whole) {
  EXPECT_EQ(time_text(90, 120), "90 s");
  EXPECT_EQ(time_text(90, 600), "1.5 min");
  EXPECT_EQ(time_text(7200, 86400), "2 h");
}

}  // namespace
}  // namespace soak
