// SPDX-License-Identifier: LGPL-2.1-or-later
#include "record_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "a_record.h"

namespace soak {
namespace {

class RecordFileTest : public testing::Test {
 protected:
  RecordFileTest() {
    std::string path = testing::TempDir() + "soak-XXXXXX";
    folder_ = mkdtemp(path.data());
  }
  ~RecordFileTest() override { std::filesystem::remove_all(folder_); }

  /// A record without what is written apart.
  static Record bare() {
    Record record = good_record();
    record.samples.clear();
    record.faults.clear();
    for (CameraRecord& camera : record.cameras) camera.samples.clear();
    return record;
  }

  std::string folder_;
};

TEST_F(RecordFileTest, record_comes_back_with_its_series_and_faults) {
  const Record good = good_record();
  RecordWriter writer(folder_);
  for (std::size_t i = 0; i < good.samples.size(); ++i) {
    writer.add(good.samples[i], {good.cameras[0].samples[i], good.cameras[1].samples[i]});
  }
  writer.save(bare(), good.faults);
  const std::optional<Record> read = read_record(folder_);
  ASSERT_TRUE(read);
  EXPECT_EQ(nlohmann::json(*read), nlohmann::json(good));
}

TEST_F(RecordFileTest, last_save_counts) {
  RecordWriter writer(folder_);
  Record record = bare();
  writer.save(record, good_record().faults);
  record.length = 99;
  writer.save(record, {});
  EXPECT_EQ(read_record(folder_)->length, 99);
  EXPECT_TRUE(read_record(folder_)->faults.empty());
}

TEST_F(RecordFileTest, there_is_no_record_before_the_first_save) {
  RecordWriter writer(folder_);
  writer.add({}, {});
  EXPECT_FALSE(read_record(folder_));
}

TEST_F(RecordFileTest, sample_that_was_cut_off_is_left_out) {
  {
    RecordWriter writer(folder_);
    writer.add(good_record().samples[0], {});
    writer.save(bare(), {});
  }
  std::ofstream(folder_ + "/samples.json", std::ios::app) << R"({"process":{"at":2)";
  EXPECT_EQ(read_record(folder_)->samples.size(), 1U);
}

}  // namespace
}  // namespace soak
