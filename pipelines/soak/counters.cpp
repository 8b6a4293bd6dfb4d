// SPDX-License-Identifier: LGPL-2.1-or-later
#include "counters.h"

#include <dlfcn.h>
#include <gst/gst.h>

#include <array>
#include <atomic>

#include "nv12slot/log.h"
#include "nv12slot/process.h"

namespace soak {
namespace {

std::atomic<std::uint64_t> g_slow_frames{0};

GstDebugLevel to_gst(nv12slot::LogLevel level) {
  switch (level) {
    case nv12slot::LogLevel::kError:
      return GST_LEVEL_ERROR;
    case nv12slot::LogLevel::kWarning:
      return GST_LEVEL_WARNING;
    case nv12slot::LogLevel::kInfo:
      return GST_LEVEL_INFO;
    case nv12slot::LogLevel::kDebug:
      break;
  }
  return GST_LEVEL_DEBUG;
}

void on_log(nv12slot::LogLevel level, std::string_view message) {
  if (message.starts_with("SLOW FRAME")) g_slow_frames.fetch_add(1);
  static GstDebugCategory* const category = _gst_debug_get_category("nv12slot");
  if (category == nullptr) return;
  GST_CAT_LEVEL_LOG(category, to_gst(level), nullptr, "%.*s", static_cast<int>(message.size()),
                    message.data());
}

}  // namespace

void watch_log() {
  nv12slot::set_log_sink(on_log);
}

Counters process_counters() {
  Counters counters;
  const nv12slot::SlotPool& pool = *nv12slot::Process::get().pool;
  for (const nv12slot::Domain domain : pool.domains()) {
    const nv12slot::PoolStats stats = pool.stats(domain);
    counters.slots_made += stats.allocated;
    counters.slots_freed += stats.retired;
    counters.pool_full += stats.exhausted;
  }
  counters.slow_frames = g_slow_frames.load();

  using DriverCalls = std::uint64_t(const char* name, const char* caller);
  static auto* const driver_calls =
      reinterpret_cast<DriverCalls*>(dlsym(RTLD_DEFAULT, "driver_calls"));
  if (driver_calls == nullptr) return counters;
  for (const char* name :
       {"cuMemAlloc_v2", "cuMemAllocPitch_v2", "cuMemAllocAsync", "cuMemAllocFromPoolAsync",
        "cuMemFree_v2", "cuMemFreeAsync", "cuMemAllocHost_v2", "cuMemFreeHost", "cuCtxSynchronize",
        "cuCtxCreate_v2"}) {
    counters.driver_calls[name] = driver_calls(name, "slots") + driver_calls(name, "gst-cuda");
  }
  return counters;
}

}  // namespace soak
