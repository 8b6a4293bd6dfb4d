// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Each line fails for what it is there for, and for nothing else.
#include "checklist.h"

#include <gtest/gtest.h>

#include <functional>

#include "a_record.h"

namespace soak {
namespace {

/// The ids of the lines that fail, with spaces in between.
std::string failing(const Record& record) {
  std::string ids;
  for (const Line& line : make_checklist(record)) {
    if (!line.pass) ids += (ids.empty() ? "" : " ") + line.id;
  }
  return ids;
}

/// The same for a good record that was changed.
std::string failing_after(const std::function<void(Record&)>& change) {
  Record record = good_record();
  change(record);
  return failing(record);
}

std::string figure(const Record& record, const std::string& id) {
  for (const Line& line : make_checklist(record)) {
    if (line.id == id) return line.figure;
  }
  return "no such line";
}

TEST(ChecklistTest, good_run_passes_every_line) {
  EXPECT_EQ(failing(good_record()), "");
  EXPECT_TRUE(all_pass(make_checklist(good_record())));
}

TEST(ChecklistTest, camera_without_frames_fails_frames) {
  EXPECT_EQ(failing_after([](Record& record) { record.cameras[1].frames = 0; }), "frames");
}

TEST(ChecklistTest, other_path_than_expected_or_none_fails_path) {
  EXPECT_EQ(failing_after([](Record& record) { record.limits.path = "nvdec"; }), "path");
  EXPECT_EQ(failing_after([](Record& record) { record.limits.path = "software"; }), "");
  EXPECT_EQ(failing_after([](Record& record) { record.cameras[0].paths.clear(); }), "path");
}

TEST(ChecklistTest, full_pool_fails_pool_full) {
  EXPECT_EQ(failing_after([](Record& record) { record.end.pool_full = 1; }), "pool-full");
}

TEST(ChecklistTest, more_slow_frames_than_allowed_fail_slow_frames) {
  EXPECT_EQ(failing_after([](Record& record) { record.end.slow_frames = 1; }), "slow-frames");
  EXPECT_EQ(
      failing_after([](Record& record) { record.end.slow_frames = record.limits.slow_frames = 1; }),
      "");
}

TEST(ChecklistTest, fault_without_a_recovery_in_time_fails_faults) {
  EXPECT_EQ(failing_after([](Record& record) {
              record.faults[0].recovered.reset();
              record.faults[0].given_up = true;
            }),
            "faults");
  EXPECT_EQ(failing_after([](Record& record) { record.limits.recovery = 2.9; }), "faults");
}

TEST(ChecklistTest, recovery_is_counted_from_when_the_fault_was_lifted) {
  EXPECT_EQ(failing_after([](Record& record) {
              record.limits.recovery = 2;
              record.faults[0].lifted = 11.5;
            }),
            "");
}

TEST(ChecklistTest, faults_that_never_came_fail_faults_unless_the_run_was_cut_short) {
  EXPECT_EQ(failing_after([](Record& record) { record.faults_left = 1; }), "faults");
  EXPECT_EQ(failing_after([](Record& record) {
              record.faults_left = 1;
              record.exit.early = true;
            }),
            "");
}

TEST(ChecklistTest, run_without_faults_passes_faults) {
  EXPECT_EQ(failing_after([](Record& record) { record.faults.clear(); }), "");
}

TEST(ChecklistTest, gap_outside_of_faults_fails_gaps) {
  EXPECT_EQ(failing_after([](Record& record) {
              record.cameras[1].gaps_over_limit = 1;
              record.cameras[1].longest_gap_ms = 900;
            }),
            "gaps");
}

TEST(ChecklistTest, frame_that_changed_held_or_read_late_fails_contents) {
  EXPECT_EQ(failing_after([](Record& record) { record.readers.changed = 1; }), "contents");
  EXPECT_EQ(failing_after([](Record& record) { record.readers.late_changed = 1; }), "contents");
}

TEST(ChecklistTest, nothing_compared_and_buffers_without_a_slot_fail_contents) {
  EXPECT_EQ(failing_after([](Record& record) { record.readers.checked = 0; }), "contents");
  EXPECT_EQ(failing_after([](Record& record) { record.readers.without_slot = 1; }), "contents");
}

TEST(ChecklistTest, memory_that_grows_fails_memory) {
  EXPECT_EQ(failing_after([](Record& record) {
              for (ProcessSample& sample : record.samples) sample.resident_mib += 2 * sample.at;
            }),
            "memory");
  EXPECT_EQ(failing_after([](Record& record) {
              for (ProcessSample& sample : record.samples) sample.device_mib = 100 + 2 * sample.at;
            }),
            "memory");
}

TEST(ChecklistTest, memory_that_grows_in_the_warm_up_or_peaks_once_is_flat) {
  EXPECT_EQ(failing_after([](Record& record) {
              record.samples[2].resident_mib = 10;
              record.samples[29].resident_mib = 500;
            }),
            "");
}

TEST(ChecklistTest, slot_made_or_freed_after_the_warm_up_fails_warm) {
  EXPECT_EQ(failing_after([](Record& record) { ++record.end.slots_made; }), "warm");
  EXPECT_EQ(failing_after([](Record& record) { ++record.end.slots_freed; }), "warm");
}

TEST(ChecklistTest, nvdec_opened_after_the_warm_up_fails_warm_but_for_damaged_streams) {
  const auto open_in_hardware = [](Record& record) {
    for (CameraRecord& camera : record.cameras) camera.paths = {"nvdec"};
    record.end.decoders_opened = 1;
  };
  EXPECT_EQ(failing_after(open_in_hardware), "warm");
  EXPECT_EQ(failing_after([&](Record& record) {
              open_in_hardware(record);
              record.faults[0].kind = "flip";
            }),
            "");
}

TEST(ChecklistTest, decoders_of_the_cpu_may_be_opened_anew) {
  EXPECT_EQ(failing_after([](Record& record) { record.end.decoders_opened = 5; }), "");
}

TEST(ChecklistTest, calls_of_the_driver_after_the_warm_up_fail_warm) {
  EXPECT_EQ(failing_after([](Record& record) {
              record.warm.driver_calls["cuCtxSynchronize"] = 2;
              record.end.driver_calls["cuCtxSynchronize"] = 3;
            }),
            "warm");
  EXPECT_EQ(failing_after([](Record& record) {
              record.warm.driver_calls["cuMemFree_v2"] = 2;
              record.end.driver_calls["cuMemFree_v2"] = 2;
            }),
            "");
}

TEST(ChecklistTest, process_that_ends_by_itself_or_with_a_status_fails_exit) {
  EXPECT_EQ(failing_after([](Record& record) { record.exit.finished = false; }), "exit");
  EXPECT_EQ(failing_after([](Record& record) { record.exit.is_clean = false; }), "exit");
}

TEST(ChecklistTest, slots_that_do_not_come_back_fail_exit) {
  EXPECT_EQ(failing_after([](Record& record) { record.exit.active = 1; }), "exit");
  EXPECT_EQ(failing_after([](Record& record) { record.samples.back().quarantined = 1; }), "exit");
}

TEST(ChecklistTest, camera_that_is_slow_to_stop_or_ends_with_an_error_fails_exit) {
  EXPECT_EQ(failing_after([](Record& record) { record.cameras[0].slowest_stop_ms = 1e4; }), "exit");
  EXPECT_EQ(failing_after([](Record& record) { record.cameras[0].errors = {"broken"}; }), "exit");
}

TEST(ChecklistTest, figures_say_where_to_look) {
  Record record = good_record();
  record.cameras[1].gaps_over_limit = 2;
  record.cameras[1].longest_gap_ms = 900;
  record.cameras[1].longest_gap_at = 17;
  EXPECT_EQ(figure(record, "gaps"),
            "longest 900 ms (cam1 at 17 s), 500 ms allowed; 2 longer than that");
  EXPECT_EQ(figure(record, "faults"),
            "1 of 1 (1 stall); slowest 3.0 s (stall at 10 s), 30 s allowed");
}

TEST(GrowthTest, compares_the_ends_of_a_series) {
  EXPECT_EQ(growth({}), 0);
  EXPECT_EQ(growth({1, 2, 3}), 0);
  EXPECT_EQ(growth({1, 1, 50, 5, 5, 5, 2, 2}), 1);
}

}  // namespace
}  // namespace soak
