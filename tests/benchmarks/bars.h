// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// Bars: what the figures of a benchmark program have to reach, printed as a table at its end.
namespace nv12slot::bench {

/// The figures of one benchmark, medians over its repetitions: its counters by name, and "time",
/// the real (or manual) time of an iteration in nanoseconds. By the benchmark's name.
using Figures = std::map<std::string, std::map<std::string, double>>;

/// A figure and its limit. Without a limit it is printed for information.
struct Bar {
  std::string what;  ///< no two of a program alike
  std::string unit;
  std::function<std::optional<double>(const Figures&)> value;  ///< empty: was not run
  std::optional<double> at_most = {};
  std::optional<double> at_least = {};
};

/// A figure as it is.
[[nodiscard]] std::function<std::optional<double>(const Figures&)> figure(std::string benchmark,
                                                                          std::string name);
/// One figure over another, both of this run.
[[nodiscard]] std::function<std::optional<double>(const Figures&)> ratio(std::string benchmark,
                                                                         std::string name,
                                                                         std::string of_benchmark,
                                                                         std::string of_name);

/// Runs the program's benchmarks with the usual command line, then prints the bars. Figures are
/// not judged by the exit status, which is 0 unless a benchmark could not be run: speed depends on
/// the machine, and a slow one is no failure of the code.
/// Where NV12SLOT_FIGURES names a file, they are added to it too, a line of JSON each with the
/// machine and the day: what tests/benchmarks/figures.py makes the tables of the documents from.
int run(int argc, char** argv, const std::vector<Bar>& bars);

/// Times of single events, for what an average hides.
class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  void add(const Samples& others) {
    values_.insert(values_.end(), others.values_.begin(), others.values_.end());
  }
  [[nodiscard]] std::size_t count() const { return values_.size(); }
  /// The value below which `percent` of the samples lie; 0 without samples.
  [[nodiscard]] double percentile(double percent) const;

 private:
  std::vector<double> values_;
};

}  // namespace nv12slot::bench
