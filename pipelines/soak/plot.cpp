// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace soak {

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::vector<double> nice_ticks(double max, unsigned count) {
  if (max <= 0 || count == 0) return {0};
  const double rough = max / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * 0.999) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  for (unsigned i = 0; i * step <= max * 1.0001; ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<double> time_ticks(double max, unsigned count) {
  static constexpr std::array<double, 17> kSteps = {
      1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200};
  double step = 86400;
  for (const double candidate : kSteps) {
    if (max / candidate <= count) {
      step = candidate;
      break;
    }
  }
  while (max / step > 4 * count) step *= 2;
  std::vector<double> ticks;
  for (unsigned i = 0; i * step <= max * 1.0001; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string time_text(double seconds, double max) {
  if (seconds == 0) return "0";
  if (max <= 180) return fmt::format("{:g} s", seconds);
  if (max <= 3 * 3600) return fmt::format("{:g} min", seconds / 60);
  return fmt::format("{:g} h", seconds / 3600);
}

Plot::Plot(const PlotSettings& settings)
    : settings_(settings),
      left_(46),
      right_(settings.width - 8),
      top_(8),
      bottom_(settings.height - (settings.has_x_labels ? 22 : 6)) {}

double Plot::x(double value) const {
  return left_ + (right_ - left_) * std::clamp(value / settings_.x_max, 0.0, 1.0);
}

double Plot::y(double value) const {
  double part = value / settings_.y_max;
  if (settings_.is_log) {
    part = std::log(std::max(value, settings_.y_min) / settings_.y_min) /
           std::log(settings_.y_max / settings_.y_min);
  }
  return bottom_ - (bottom_ - top_) * std::clamp(part, 0.0, 1.0);
}

void Plot::band(double from, double to, const std::string& css, const std::string& tip) {
  body_ += fmt::format(
      R"(<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>)",
      css, x(from), top_, std::max(1.5, x(to) - x(from)), bottom_ - top_, escape(tip));
}

void Plot::line(const Points& points, const std::string& css) {
  if (points.empty()) return;
  body_ += fmt::format(R"(<path class="line {}" d=")", css);
  char command = 'M';
  for (const auto& [at, value] : points) {
    body_ += fmt::format("{}{:.1f} {:.1f}", command, x(at), y(value));
    command = 'L';
  }
  body_ += R"("/>)";
}

void Plot::area(const Points& low, const Points& high, const std::string& css) {
  if (high.empty()) return;
  body_ += fmt::format(R"(<path class="area {}" d=")", css);
  char command = 'M';
  for (const auto& [at, value] : high) {
    body_ += fmt::format("{}{:.1f} {:.1f}", command, x(at), y(value));
    command = 'L';
  }
  for (auto point = low.rbegin(); point != low.rend(); ++point) {
    body_ += fmt::format("L{:.1f} {:.1f}", x(point->first), y(point->second));
  }
  body_ += R"(Z"/>)";
}

void Plot::tips(const std::vector<std::pair<double, std::string>>& texts) {
  double from = left_;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const double to =
        i + 1 < texts.size() ? (x(texts[i].first) + x(texts[i + 1].first)) / 2 : right_;
    body_ += fmt::format(
        R"(<rect class="tip" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>)",
        from, top_, std::max(0.0, to - from), bottom_ - top_, escape(texts[i].second));
    from = to;
  }
}

std::string Plot::grid() const {
  std::string grid;
  std::vector<double> ticks;
  if (settings_.is_log) {
    for (double tick = std::pow(10, std::ceil(std::log10(settings_.y_min) - 1e-9));
         tick <= settings_.y_max * 1.0001; tick *= 10) {
      ticks.push_back(tick);
    }
  } else {
    ticks = nice_ticks(settings_.y_max, settings_.y_ticks);
  }
  for (const double tick : ticks) {
    grid += fmt::format(R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>)",
                        left_, right_, y(tick), y(tick));
    // Milliseconds that make seconds are easier to read as such.
    const bool as_seconds = settings_.is_log && tick >= 1000;
    grid +=
        fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{:g}{}</text>)",
                    left_ - 6, y(tick) + 4, as_seconds ? tick / 1000 : tick,
                    settings_.is_log ? (as_seconds ? " s" : " ms") : "");
  }
  if (!settings_.is_log && settings_.unit[0] != '\0') {
    // In the corner, where no line of the grid has its number.
    grid += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}">{}</text>)", left_ + 4,
                        top_ + 8, settings_.unit);
  }
  if (!settings_.has_x_labels) return grid;
  const auto count = static_cast<unsigned>(settings_.width / 90);
  for (const double tick : time_ticks(settings_.x_max, count)) {
    grid += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)",
                        x(tick), bottom_ + 16, x(tick) > right_ - 14 ? "end" : "middle",
                        time_text(tick, settings_.x_max));
  }
  return grid;
}

std::string Plot::svg() const {
  return fmt::format(
      R"(<svg viewBox="0 0 {0:g} {1:g}" role="img" aria-label="{2}">{3}{4}<line class="axis" x1="{5:.1f}" x2="{6:.1f}" y1="{7:.1f}" y2="{7:.1f}"/></svg>)",
      settings_.width, settings_.height, escape(settings_.label), grid(), body_, left_, right_,
      bottom_);
}

}  // namespace soak
