// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "record.h"

namespace soak {

/// Where a run leaves what it saw for who waits for it, so that it is known however the run ends.
/// Series are appended to as they come and faults are written one by one: a run that kept them, or
/// made JSON of them all at once, would grow as it goes on, which is what it looks for in others.
/// One thread.
class RecordWriter {
 public:
  /// Files are made in `folder`. Throws std::runtime_error when they cannot be.
  explicit RecordWriter(const std::string& folder);

  /// One interval of sampling, with one sample for each camera.
  void add(const ProcessSample& process, const std::vector<CameraSample>& cameras);
  /// Everything else, as it is now. The record's series are left out, and its faults taken from
  /// `faults`.
  void save(const Record& record, const std::vector<FaultRecord>& faults);

 private:
  const std::string folder_;
  std::ofstream samples_;
};

/// What a RecordWriter last saved in `folder`, series included; nothing if it never did. A line
/// that was cut off is left out.
[[nodiscard]] std::optional<Record> read_record(const std::string& folder);

}  // namespace soak
