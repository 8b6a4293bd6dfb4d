// SPDX-License-Identifier: LGPL-2.1-or-later
#include "slowframe.h"

#include <array>
#include <cstdio>

#include "nv12slot/log.h"
#include "poolcontrol.h"

namespace nv12slot::gst {
namespace {

double to_ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

bool note_if_slow(const FrameSettings& settings, const Source& source, const Outcome& outcome,
                  Duration total, Duration push) {
  if (settings.slow_frame_threshold == 0 || total <= to_duration(settings.slow_frame_threshold)) {
    return false;
  }
  std::array<char, 256> text;
  std::snprintf(text.data(), text.size(),
                "SLOW FRAME of %s: %.1f ms: slot %.1f, copy %.1f, downstream %.1f",
                source.name().c_str(), to_ms(total), to_ms(outcome.acquire), to_ms(outcome.copy),
                to_ms(push));
  log(LogLevel::kWarning, text.data());
  return true;
}

}  // namespace nv12slot::gst
