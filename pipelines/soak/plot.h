// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace soak {

using Points = std::vector<std::pair<double, double>>;

struct PlotSettings {
  double width = 1040, height = 220;  ///< in the SVG's own units, which are pixels at full width
  double x_max = 1;                   ///< seconds; x begins at 0
  double y_max = 1;                   ///< y begins at 0; at y_min if logarithmic
  double y_min = 0;
  bool is_log = false;
  const char* unit = "";  ///< of y
  std::string label;      ///< what the chart shows, for those who do not see it
  bool has_x_labels = true;
  unsigned y_ticks = 4;  ///< about so many
};

/// A chart over time as inline SVG. Colours are classes of the page's style sheet, so that they
/// follow light and dark.
class Plot {
 public:
  explicit Plot(const PlotSettings& settings);

  /// In the order in which they are drawn.
  void band(double from, double to, const std::string& css, const std::string& tip);
  void line(const Points& points, const std::string& css);
  /// Between two series of the same x.
  void area(const Points& low, const Points& high, const std::string& css);
  /// A note that the pointer finds in the whole height of each interval of x.
  void tips(const std::vector<std::pair<double, std::string>>& texts);

  [[nodiscard]] std::string svg() const;

 private:
  [[nodiscard]] double x(double value) const;
  [[nodiscard]] double y(double value) const;
  [[nodiscard]] std::string grid() const;

  const PlotSettings settings_;
  double left_, right_, top_, bottom_;
  std::string body_;
};

/// Steps of 1, 2 or 5 times a power of ten, about `count` of them up to `max`.
[[nodiscard]] std::vector<double> nice_ticks(double max, unsigned count);
/// The same for seconds, by the steps of clocks.
[[nodiscard]] std::vector<double> time_ticks(double max, unsigned count);
/// "90 s", "15 min", "2 h", as suits a span of `max` seconds.
[[nodiscard]] std::string time_text(double seconds, double max);
/// For text within HTML and SVG, in attributes too.
[[nodiscard]] std::string escape(const std::string& text);

}  // namespace soak
