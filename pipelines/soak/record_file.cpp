// SPDX-License-Identifier: LGPL-2.1-or-later
#include "record_file.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace soak {
namespace {

std::string record_path(const std::string& folder) {
  return folder + "/record.json";
}

std::string samples_path(const std::string& folder) {
  return folder + "/samples.json";
}

// What a driver or a camera says of itself may be no UTF-8.
std::string line_of(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// A discarded value where `line` is not whole.
nlohmann::json parse(const std::string& line) {
  return nlohmann::json::parse(line, nullptr, false);
}

}  // namespace

RecordWriter::RecordWriter(const std::string& folder)
    : folder_(folder), samples_(samples_path(folder)) {
  if (!samples_) throw std::runtime_error("cannot write " + samples_path(folder));
}

void RecordWriter::add(const ProcessSample& process, const std::vector<CameraSample>& cameras) {
  samples_ << line_of({{"process", process}, {"cameras", cameras}}) << std::flush;
}

void RecordWriter::save(const Record& record, const std::vector<FaultRecord>& faults) {
  // Whole or not at all, whenever the process ends.
  const std::string part = record_path(folder_) + ".part";
  {
    std::ofstream file(part);
    file << line_of(record);
    for (const FaultRecord& fault : faults) file << line_of(fault);
    file.close();
    if (!file) throw std::runtime_error("cannot write " + part + "; is there room?");
  }
  std::filesystem::rename(part, record_path(folder_));
}

std::optional<Record> read_record(const std::string& folder) {
  std::ifstream file(record_path(folder));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  Record record = nlohmann::json::parse(line).get<Record>();
  record.faults.clear();
  while (std::getline(file, line)) record.faults.push_back(parse(line).get<FaultRecord>());

  std::ifstream samples(samples_path(folder));
  while (std::getline(samples, line)) {
    const nlohmann::json json = parse(line);
    if (json.is_discarded()) continue;
    record.samples.push_back(json.at("process").get<ProcessSample>());
    const auto cameras = json.at("cameras").get<std::vector<CameraSample>>();
    for (std::size_t i = 0; i < std::min(cameras.size(), record.cameras.size()); ++i) {
      record.cameras[i].samples.push_back(cameras[i]);
    }
  }
  return record;
}

}  // namespace soak
