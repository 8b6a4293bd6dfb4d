// SPDX-License-Identifier: LGPL-2.1-or-later
#include "debug.h"

#include "nv12slot/log.h"

GST_DEBUG_CATEGORY(gst_nv12_slot_debug);
#define GST_CAT_DEFAULT gst_nv12_slot_debug

namespace nv12slot::gst {
namespace {

GstDebugLevel to_gst(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return GST_LEVEL_ERROR;
    case LogLevel::kWarning:
      return GST_LEVEL_WARNING;
    case LogLevel::kInfo:
      return GST_LEVEL_INFO;
    case LogLevel::kDebug:
      break;
  }
  return GST_LEVEL_DEBUG;
}

void log_to_gst(LogLevel level, std::string_view message) {
  GST_CAT_LEVEL_LOG(gst_nv12_slot_debug, to_gst(level), nullptr, "%.*s",
                    static_cast<int>(message.size()), message.data());
}

}  // namespace

void init_debug() {
  static const bool done = [] {
    GST_DEBUG_CATEGORY_INIT(gst_nv12_slot_debug, "nv12slot", 0, "NV12 slots");
    set_log_sink(log_to_gst);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace nv12slot::gst
