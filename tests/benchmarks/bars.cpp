// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bars.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

namespace nv12slot::bench {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Prints as usual and keeps what it is given.
class Collector : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    benchmark::ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.iterations == 0) continue;
      auto& values = values_[run.run_name.str()];
      values["time"].push_back(run.real_accumulated_time / static_cast<double>(run.iterations) *
                               1e9);
      for (const auto& [name, counter] : run.counters) values[name].push_back(counter.value);
    }
  }

  [[nodiscard]] Figures figures() const {
    Figures figures;
    for (const auto& [benchmark, values] : values_) {
      for (const auto& [name, samples] : values) figures[benchmark][name] = median(samples);
    }
    return figures;
  }

 private:
  std::map<std::string, std::map<std::string, std::vector<double>>> values_;
};

std::optional<double> find(const Figures& figures, const std::string& benchmark,
                           const std::string& name) {
  const auto of_benchmark = figures.find(benchmark);
  if (of_benchmark == figures.end()) return {};
  const auto value = of_benchmark->second.find(name);
  if (value == of_benchmark->second.end()) return {};
  return value->second;
}

/// The value of the first line `name: value` or `name : value` of a file; empty without one.
std::string field_of(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(name) || colon == std::string::npos) continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return {};
}

nlohmann::json machine() {
  nlohmann::json machine = {{"cpu", field_of("/proc/cpuinfo", "model name")},
                            {"cores", std::thread::hardware_concurrency()},
                            {"date", fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)))}};
  std::error_code none;
  std::set<std::string> gpus;
  for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none)) {
    gpus.insert(field_of(gpu.path() / "information", "Model"));
  }
  if (!gpus.empty()) machine["gpu"] = fmt::format("{}", fmt::join(gpus, ", "));
  // What the program runs with, as whoever started it knows.
  if (const char* const with = std::getenv("NV12SLOT_FIGURES_WITH")) machine["with"] = with;
  return machine;
}

std::string limit_text(const Bar& bar) {
  if (bar.at_most) return fmt::format("at most {:g}", *bar.at_most);
  if (bar.at_least) return fmt::format("at least {:g}", *bar.at_least);
  return {};
}

}  // namespace

std::function<std::optional<double>(const Figures&)> figure(std::string benchmark,
                                                            std::string name) {
  return [benchmark = std::move(benchmark), name = std::move(name)](const Figures& figures) {
    return find(figures, benchmark, name);
  };
}

std::function<std::optional<double>(const Figures&)> ratio(std::string benchmark, std::string name,
                                                           std::string of_benchmark,
                                                           std::string of_name) {
  return [benchmark = std::move(benchmark), name = std::move(name),
          of_benchmark = std::move(of_benchmark),
          of_name = std::move(of_name)](const Figures& figures) -> std::optional<double> {
    const std::optional<double> value = find(figures, benchmark, name);
    const std::optional<double> of = find(figures, of_benchmark, of_name);
    if (!value || !of || *of == 0) return {};
    return *value / *of;
  };
}

int run(int argc, char** argv, const std::vector<Bar>& bars) {
  std::set<std::string> names;
  for (const Bar& bar : bars) {
    // Or a table of the figures would have one of them only.
    if (names.insert(bar.what).second) continue;
    fmt::print(stderr, "two figures are named \"{}\"\n", bar.what);
    return 2;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  const Figures figures = collector.figures();
  const nlohmann::json here = machine();
  std::ofstream file;
  if (const char* const name = std::getenv("NV12SLOT_FIGURES")) {
    file.open(name, std::ios::app);
    if (!file) fmt::print(stderr, "NV12SLOT_FIGURES: {} cannot be written\n", name);
  }
  bool any = false;
  for (const Bar& bar : bars) {
    const std::optional<double> value = bar.value(figures);
    if (!value) continue;
    if (!std::exchange(any, true)) fmt::print("\n{:<64} {:>12}  {}\n", "figure", "", "bar");
    const bool met =
        (!bar.at_most || *value <= *bar.at_most) && (!bar.at_least || *value >= *bar.at_least);
    const std::string limit = limit_text(bar);
    fmt::print("{:<64} {:>12}  {}\n", bar.what, fmt::format("{:.3g} {}", *value, bar.unit),
               limit.empty() ? "" : limit + (met ? ": met" : ": MISSED"));
    if (!file.is_open()) continue;
    nlohmann::json line = {{"program", std::filesystem::path(argv[0]).filename().string()},
                           {"what", bar.what},
                           {"unit", bar.unit},
                           {"value", *value},
                           {"machine", here}};
    if (!limit.empty()) line.update({{"bar", limit}, {"met", met}});
    file << line.dump() << '\n';
  }
  benchmark::Shutdown();
  return 0;
}

double Samples::percentile(double percent) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto rank =
      static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::min(rank > 0 ? rank - 1 : 0, sorted.size() - 1)];
}

}  // namespace nv12slot::bench
