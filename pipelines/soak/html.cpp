// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "plot.h"
#include "report.h"

namespace soak {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --edge: #e2e5ea; --ink: #16191f; --soft: #5c6470; --grid: #e8ebef;
  --axis: #b3bac4; --one: #2a6fd6; --one-soft: #2a6fd640; --good: #16794a; --good-soft: #e2f4ea;
  --bad: #c22f3b; --bad-soft: #fbe7e8; --fault: #f0a02a3d;
  --cut: #2a6fd6; --reset: #12908c; --stall: #d9730d; --flip: #8a4fc7; --kill: #c22f3b; --recreate: #6c7a1f;
  --active: #2a6fd6; --cooling: #7fb4f5; --free: #d5dae1; --quarantined: #c22f3b; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0f1115; --card: #181b21; --edge: #2a2f38; --ink: #e8eaee; --soft: #98a1ae; --grid: #262b33;
  --axis: #4a525e; --one: #6ba6ff; --one-soft: #6ba6ff4d; --good: #57c98d; --good-soft: #15301f;
  --bad: #ff7a80; --bad-soft: #3a1a1d; --fault: #f0a02a38;
  --cut: #6ba6ff; --reset: #3fc4be; --stall: #f5993d; --flip: #b98aef; --kill: #ff7a80; --recreate: #b5c24a;
  --active: #4d8df0; --cooling: #2c5596; --free: #363c46; --quarantined: #ff7a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
header { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; }
h1 { font-size: 24px; margin: 0; }
h2 { font-size: 17px; margin: 34px 0 4px; }
p { margin: 2px 0 10px; color: var(--soft); }
code { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.verdict { font-weight: 700; padding: 2px 12px; border-radius: 999px; }
.pass { color: var(--good); background: var(--good-soft); }
.fail { color: var(--bad); background: var(--bad-soft); }
.mark { font-size: 12px; font-weight: 700; padding: 1px 8px; border-radius: 6px; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 12px 14px; overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 18px 0 0; }
.tile b { display: block; font-size: 22px; line-height: 1.25; font-weight: 650; }
.tile span { color: var(--soft); font-size: 13px; }
.grid-of { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 10px; }
.grid-of h3 { font-size: 13px; margin: 0 0 2px; display: flex; justify-content: space-between; gap: 8px; }
.grid-of h3 span { color: var(--soft); font-weight: 400; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--edge); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.list td:nth-child(1) { width: 60px; } .list td:nth-child(2) { width: 34%; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft); margin: 2px 0 8px; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
svg { display: block; width: 100%; height: auto; }
svg .tick { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg .name { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--axis); }
svg .line { fill: none; stroke: var(--one); stroke-width: 1.6; stroke-linejoin: round; }
svg .faint { stroke: var(--one-soft); } svg .limit { stroke: var(--bad); stroke-dasharray: 4 3; stroke-width: 1.2; }
svg .area { stroke: none; fill: var(--one-soft); } svg .tip { fill: transparent; }
svg .fault { fill: var(--fault); } svg .warm { fill: var(--grid); }
svg .lane { fill: var(--grid); }
svg .tip:hover { fill: var(--one-soft); }
)css"
                               // Colours by name, for what has a legend.
                               R"css(
.cut { background: var(--cut); fill: var(--cut); } .reset { background: var(--reset); fill: var(--reset); }
.stall { background: var(--stall); fill: var(--stall); } .flip { background: var(--flip); fill: var(--flip); }
.kill { background: var(--kill); fill: var(--kill); } .recreate { background: var(--recreate); fill: var(--recreate); }
.lost { background: var(--bad); fill: var(--bad); }
i.active, svg .active { background: var(--active); fill: var(--active); }
i.cooling, svg .cooling { background: var(--cooling); fill: var(--cooling); }
i.free, svg .free { background: var(--free); fill: var(--free); }
i.quarantined, svg .quarantined { background: var(--quarantined); fill: var(--quarantined); }
details summary { cursor: pointer; color: var(--soft); padding: 4px 0; }
)css";

std::string seconds_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string count_text(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), "\u2009");
  }
  return text;
}

/// Whether `fault` came to camera number `camera`.
bool hits(const FaultRecord& fault, int camera) {
  return fault.camera == kAllCameras || fault.camera == camera;
}

Seconds end_of(const FaultRecord& fault, const Record& record) {
  return fault.recovered.value_or(record.length);
}

std::string camera_name(const Record& record, int camera) {
  if (camera == kAllCameras) return "all";
  const auto index = static_cast<std::size_t>(camera);
  return index < record.cameras.size() ? record.cameras[index].name : std::to_string(camera);
}

std::string fault_tip(const FaultRecord& fault, const Record& record) {
  std::string tip = fmt::format("{} of {} at {:.1f} s: ", fault.kind,
                                camera_name(record, fault.camera), fault.begun);
  if (!fault.recovered) return tip + (fault.given_up ? "never recovered" : "still open");
  return tip + fmt::format("frames again after {:.1f} s", *fault.recovered - fault.begun);
}

class Page {
 public:
  Page(const Record& record, const std::vector<Line>& lines) : record_(record), lines_(lines) {}

  std::string write() {
    const bool pass = all_pass(lines_);
    html_ = fmt::format(
        R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>nv12slot-soak: {0}</title><style>{1}</style></head><body><main>
<header><h1>nv12slot-soak</h1><span class="verdict {2}">{0}</span></header>
<p>{3} cameras for {4}{5}, {6}<br>{7}, nv12slot {8}, seed {9}<br><code>{10}</code></p>
)",
        pass ? "PASS" : "FAIL", kStyle, pass ? "pass" : "fail", record_.cameras.size(),
        seconds_text(record_.length), record_.exit.early ? " (ended early)" : "",
        escape(record_.begun_at), escape(record_.machine), escape(record_.version), record_.seed,
        escape(record_.command));
    tiles();
    checklist();
    if (!record_.cameras.empty()) {
      timeline();
      processing();
      gaps();
    }
    if (record_.samples.size() > 1) {
      slots();
      memory();
      reconnects();
    }
    cameras();
    faults();
    html_ += "</main></body></html>\n";
    return html_;
  }

 private:
  void head(const char* title, const std::string& text) {
    html_ += fmt::format("<h2>{}</h2>\n<p>{}</p>\n", title, text);
  }

  void tiles() {
    std::uint64_t frames = 0, reconnects = 0;
    double gap = 0;
    for (const CameraRecord& camera : record_.cameras) {
      frames += camera.frames;
      reconnects += camera.reconnects;
      gap = std::max(gap, camera.longest_gap_ms);
    }
    double slowest = 0;
    for (const FaultRecord& fault : record_.faults) {
      if (fault.recovered && fault.lifted) {
        slowest = std::max(slowest, *fault.recovered - *fault.lifted);
      }
    }
    html_ += "<div class=\"tiles\">\n";
    const auto tile = [&](const std::string& figure, const char* what) {
      html_ +=
          fmt::format("<div class=\"card tile\"><b>{}</b><span>{}</span></div>\n", figure, what);
    };
    tile(count_text(frames), "frames");
    tile(count_text(record_.faults.size()), "faults");
    tile(fmt::format("{:.1f} s", slowest), "slowest recovery");
    tile(count_text(reconnects), "reconnects");
    tile(fmt::format("{:.0f} ms", gap), "longest gap without a fault");
    tile(count_text(record_.readers.checked + record_.readers.late_checked), "frames compared");
    html_ += "</div>\n";
  }

  void checklist() {
    html_ += "<h2>Checklist</h2>\n<div class=\"card\"><table class=\"list\">\n";
    for (const Line& line : lines_) {
      html_ +=
          fmt::format("<tr><td><span class=\"mark {}\">{}</span></td><td>{}</td><td>{}</td></tr>\n",
                      line.pass ? "pass" : "fail", line.pass ? "PASS" : "FAIL", escape(line.title),
                      escape(line.figure));
    }
    html_ += "</table></div>\n";
  }

  void timeline() {
    head("Faults",
         "From the fault to the first good frame after it. The shaded time at the "
         "beginning is the warm-up, in which nothing is judged.");
    html_ += "<div class=\"card\"><div class=\"legend\">";
    for (const FaultKind kind : kAllFaults) {
      html_ += fmt::format("<span><i class=\"{0}\"></i>{0}</span>", to_string(kind));
    }
    html_ += "</div>\n";
    constexpr double kLane = 20, kLeft = 56, kRight = 1032;
    const double bottom = kLane * static_cast<double>(record_.cameras.size()) + 4;
    const auto x = [&](double at) {
      return kLeft + (kRight - kLeft) * std::clamp(at / std::max(record_.length, 1.0), 0.0, 1.0);
    };
    html_ += fmt::format(
        R"(<svg viewBox="0 0 1040 {:g}" role="img" aria-label="Faults over time">)", bottom + 22);
    for (std::size_t i = 0; i < record_.cameras.size(); ++i) {
      const double top = kLane * static_cast<double>(i) + 4;
      html_ += fmt::format(
          R"(<text class="name" x="0" y="{:g}">{}</text><rect class="lane" x="{:g}" y="{:g}" width="{:g}" height="3"/><rect class="lane" x="{:g}" y="{:g}" width="{:.1f}" height="14"/>)",
          top + 12, escape(record_.cameras[i].name), kLeft, top + 6, kRight - kLeft, kLeft, top,
          x(record_.warm_up) - kLeft);
      for (const FaultRecord& fault : record_.faults) {
        if (!hits(fault, static_cast<int>(i))) continue;
        const double from = x(fault.begun), to = x(end_of(fault, record_));
        html_ += fmt::format(
            R"(<rect class="{}" x="{:.1f}" y="{:g}" width="{:.1f}" height="14" rx="2"><title>{}</title></rect>)",
            escape(fault.kind), from, top, std::max(2.0, to - from),
            escape(fault_tip(fault, record_)));
      }
    }
    for (const double tick : time_ticks(record_.length, 11)) {
      html_ += fmt::format(R"(<text class="tick" x="{:.1f}" y="{:g}" text-anchor="{}">{}</text>)",
                           x(tick), bottom + 16, x(tick) > kRight - 14 ? "end" : "middle",
                           time_text(tick, record_.length));
    }
    html_ += "</svg></div>\n";
  }

  void shade_faults(Plot& plot, int camera) {
    plot.band(0, record_.warm_up, "warm", "warm-up");
    for (const FaultRecord& fault : record_.faults) {
      if (!hits(fault, camera)) continue;
      plot.band(fault.begun, end_of(fault, record_), "fault", fault_tip(fault, record_));
    }
  }

  [[nodiscard]] PlotSettings small() const {
    PlotSettings settings;
    settings.width = 340;
    settings.height = 132;
    settings.x_max = std::max(record_.length, 1.0);
    settings.y_ticks = 3;
    return settings;
  }

  [[nodiscard]] PlotSettings wide() const {
    PlotSettings settings;
    settings.x_max = std::max(record_.length, 1.0);
    return settings;
  }

  void processing() {
    head("Processing time",
         "Of each camera, from an access unit at the decoder to its picture in a slot, in "
         "milliseconds: the mean of each interval, and the longest above it. All on one scale, "
         "which a few longest times may exceed. Faults are shaded.");
    std::vector<double> all;
    for (const CameraRecord& camera : record_.cameras) {
      for (const CameraSample& sample : camera.samples) all.push_back(sample.processing_max_ms);
    }
    std::sort(all.begin(), all.end());
    // One outlier does not flatten everything else.
    const double most = all.empty() ? 1 : 1.1 * all[all.size() * 98 / 100];
    html_ += "<div class=\"grid-of\">\n";
    for (std::size_t i = 0; i < record_.cameras.size(); ++i) {
      const CameraRecord& camera = record_.cameras[i];
      Points mean, longest, zero;
      double sum = 0, max = 0;
      for (const CameraSample& sample : camera.samples) {
        mean.emplace_back(sample.at, sample.processing_ms);
        longest.emplace_back(sample.at, sample.processing_max_ms);
        sum += sample.processing_ms * static_cast<double>(sample.frames);
        max = std::max(max, sample.processing_max_ms);
      }
      PlotSettings settings = small();
      settings.y_max = std::max(most, 0.1);
      settings.unit = "ms";
      settings.label = "Processing time of " + camera.name;
      Plot plot(settings);
      shade_faults(plot, static_cast<int>(i));
      plot.area(mean, longest, "");
      plot.line(mean, "");
      html_ += fmt::format(
          "<div class=\"card\"><h3>{}<span>mean {:.1f} ms, longest {:.0f} ms</span></h3>{}</div>\n",
          escape(camera.name), sum / static_cast<double>(std::max<std::uint64_t>(camera.frames, 1)),
          max, plot.svg());
    }
    html_ += "</div>\n";
  }

  void gaps() {
    head("Longest frame gap",
         fmt::format("Of each camera, the longest time without a frame in each interval, on a "
                     "logarithmic scale. Outside of faults {:.0f} ms are allowed (dashed).",
                     record_.limits.gap_ms));
    double most = 1000;
    for (const CameraRecord& camera : record_.cameras) {
      for (const CameraSample& sample : camera.samples) most = std::max(most, sample.gap_ms);
    }
    html_ += "<div class=\"grid-of\">\n";
    for (std::size_t i = 0; i < record_.cameras.size(); ++i) {
      const CameraRecord& camera = record_.cameras[i];
      Points gaps;
      for (const CameraSample& sample : camera.samples) gaps.emplace_back(sample.at, sample.gap_ms);
      PlotSettings settings = small();
      settings.is_log = true;
      settings.y_min = 10;
      settings.y_max = most * 1.2;
      settings.label = "Longest frame gap of " + camera.name;
      Plot plot(settings);
      shade_faults(plot, static_cast<int>(i));
      plot.line({{0, record_.limits.gap_ms}, {record_.length, record_.limits.gap_ms}}, "limit");
      plot.line(gaps, "");
      html_ += fmt::format(
          "<div class=\"card\"><h3>{}<span>{:.0f} ms outside of faults</span></h3>{}</div>\n",
          escape(camera.name), camera.longest_gap_ms, plot.svg());
    }
    html_ += "</div>\n";
  }

  void slots() {
    head("Slots by state", "All domains together.");
    PlotSettings settings = wide();
    settings.label = "Slots by state";
    Points zero, active, cooling, free, quarantined;
    std::vector<std::pair<double, std::string>> tips;
    double most = 1;
    for (const ProcessSample& sample : record_.samples) {
      double sum = 0;
      zero.emplace_back(sample.at, 0);
      active.emplace_back(sample.at, sum += sample.active);
      cooling.emplace_back(sample.at, sum += sample.cooling);
      free.emplace_back(sample.at, sum += sample.free);
      quarantined.emplace_back(sample.at, sum += sample.quarantined);
      most = std::max(most, sum);
      tips.emplace_back(
          sample.at,
          fmt::format("{:.0f} s: {} active, {} cooling, {} free, {} quarantined", sample.at,
                      sample.active, sample.cooling, sample.free, sample.quarantined));
    }
    settings.y_max = most * 1.1;
    Plot plot(settings);
    plot.area(zero, active, "active");
    plot.area(active, cooling, "cooling");
    plot.area(cooling, free, "free");
    plot.area(free, quarantined, "quarantined");
    plot.tips(tips);
    html_ += "<div class=\"card\"><div class=\"legend\">";
    for (const char* state : {"active", "cooling", "free", "quarantined"}) {
      html_ += fmt::format("<span><i class=\"{0}\"></i>{0}</span>", state);
    }
    html_ += fmt::format("</div>{}</div>\n", plot.svg());
  }

  void one_line(const char* label, const char* unit, const Points& points) {
    PlotSettings settings = wide();
    settings.height = 170;
    settings.unit = unit;
    settings.label = label;
    settings.y_ticks = 3;
    settings.y_max = 1;
    std::vector<std::pair<double, std::string>> tips;
    for (const auto& [at, value] : points) {
      settings.y_max = std::max(settings.y_max, value * 1.15);
      tips.emplace_back(at, fmt::format("{:.0f} s: {:.0f} {}", at, value, unit));
    }
    Plot plot(settings);
    plot.band(0, record_.warm_up, "warm", "warm-up");
    plot.line(points, "");
    plot.tips(tips);
    html_ +=
        fmt::format("<div class=\"card\"><div class=\"legend\"><span>{}</span></div>{}</div>\n",
                    label, plot.svg());
  }

  void memory() {
    head("Memory", "What must stay flat after the warm-up (shaded).");
    Points resident, device;
    for (const ProcessSample& sample : record_.samples) {
      resident.emplace_back(sample.at, sample.resident_mib);
      if (sample.device_mib >= 0) device.emplace_back(sample.at, sample.device_mib);
    }
    one_line("Resident memory of the process", "MiB", resident);
    if (!device.empty()) {
      html_ += "<p></p>";
      one_line("In use on the device, by everybody", "MiB", device);
    }
  }

  void reconnects() {
    head("Reconnects", "Times a camera came back after it had been lost, of all cameras so far.");
    Points points;
    for (std::size_t i = 0; i < record_.cameras[0].samples.size(); ++i) {
      double sum = 0;
      for (const CameraRecord& camera : record_.cameras) {
        if (i < camera.samples.size()) sum += static_cast<double>(camera.samples[i].reconnects);
      }
      points.emplace_back(record_.cameras[0].samples[i].at, sum);
    }
    one_line("Reconnects", "", points);
  }

  void cameras() {
    html_ +=
        "<h2>Cameras</h2>\n<div class=\"card\"><table><tr><th>camera</th><th>path</th>"
        "<th class=\"n\">frames</th><th class=\"n\">damaged</th><th class=\"n\">first frame</th>"
        "<th class=\"n\">made</th><th class=\"n\">reconnects</th><th class=\"n\">longest gap</th>"
        "<th class=\"n\">slowest stop</th></tr>\n";
    for (const CameraRecord& camera : record_.cameras) {
      std::string paths;
      for (const std::string& path : camera.paths) paths += (paths.empty() ? "" : ", ") + path;
      html_ += fmt::format(
          "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
          "<td class=\"n\">{}</td><td class=\"n\">{} ×</td><td class=\"n\">{}</td>"
          "<td class=\"n\">{:.0f} ms</td><td class=\"n\">{:.0f} ms</td></tr>\n",
          escape(camera.name), escape(paths), count_text(camera.frames), camera.corrupted,
          camera.first_frame ? fmt::format("{:.1f} s", *camera.first_frame) : "never", camera.lives,
          camera.reconnects, camera.longest_gap_ms, camera.slowest_stop_ms);
    }
    html_ += "</table></div>\n";
  }

  void faults() {
    if (record_.faults.empty()) return;
    head("Recoveries",
         "From when a fault was undone (at once, but for a killed server, which "
         "starts again first, and for changed bytes) to the first good frame.");
    struct Kind {
      unsigned count = 0;
      std::vector<double> took;
    };
    std::map<std::string, Kind> kinds;
    for (const FaultRecord& fault : record_.faults) {
      Kind& kind = kinds[fault.kind];
      ++kind.count;
      if (fault.recovered && fault.lifted) kind.took.push_back(*fault.recovered - *fault.lifted);
    }
    html_ +=
        "<div class=\"card\"><table><tr><th>fault</th><th class=\"n\">times</th>"
        "<th class=\"n\">recovered</th><th class=\"n\">median</th><th "
        "class=\"n\">slowest</th></tr>\n";
    for (auto& [name, entry] : kinds) {
      Kind& kind = entry;  // clang before 16 captures no structured binding
      std::sort(kind.took.begin(), kind.took.end());
      const auto time = [&](std::size_t at) {
        return at < kind.took.size() ? fmt::format("{:.2f} s", kind.took[at]) : std::string("-");
      };
      html_ += fmt::format(
          "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
          "<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
          escape(name), kind.count, kind.took.size(), time(kind.took.size() / 2),
          time(kind.took.size() - 1));
    }
    html_ += fmt::format(
        "</table><details><summary>All {} faults</summary><table><tr>"
        "<th class=\"n\">at</th><th>fault</th><th>camera</th>"
        "<th class=\"n\">undone after</th><th class=\"n\">recovered in</th></tr>\n",
        record_.faults.size());
    for (const FaultRecord& fault : record_.faults) {
      html_ += fmt::format(
          "<tr><td class=\"n\">{:.1f} s</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>"
          "<td class=\"n\">{}</td></tr>\n",
          fault.begun, escape(fault.kind), escape(camera_name(record_, fault.camera)),
          fault.lifted ? fmt::format("{:.2f} s", *fault.lifted - fault.begun) : "never",
          fault.recovered && fault.lifted
              ? fmt::format("{:.2f} s", *fault.recovered - *fault.lifted)
              : "<span class=\"mark fail\">never</span>");
    }
    html_ += "</table></details></div>\n";
  }

  const Record& record_;
  const std::vector<Line>& lines_;
  std::string html_;
};

}  // namespace

std::string html_report(const Record& record, const std::vector<Line>& lines) {
  return Page(record, lines).write();
}

}  // namespace soak
