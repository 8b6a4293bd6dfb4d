// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a slot costs to take and to give back, against GStreamer's own pool.
#include <gst/nv12slot/nv12slot.h>
#include <gst/video/video.h>

#include <thread>

#include "bars.h"
#include "nv12slot/host_device.h"
#include "nv12slot/process.h"

namespace nv12slot {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 32;

/// One of the host, as the process' one, but without a cooldown: slots come back at once.
SlotPool& slot_pool() {
  static SlotPool& pool = *new SlotPool(steady_clock(),
                                        [](Domain) -> Result<std::unique_ptr<Device>> {
                                          return std::unique_ptr<Device>(new HostDevice);
                                        },
                                        {.cap = 64, .cooldown = Duration(0)});
  return pool;
}

void BM_SlotPool(benchmark::State& state) {
  SlotPool& pool = slot_pool();
  const AcquireRequest request{.domain = kHostDomain, .width = kWidth, .height = kHeight};
  for (auto _ : state) {
    Result<Lease> lease = pool.acquire(request);
    if (!lease) {
      state.SkipWithError(lease.error().message.c_str());
      break;
    }
    lease->release();
  }
}
BENCHMARK(BM_SlotPool)->Threads(1)->Threads(8)->UseRealTime();

/// All that a frame takes: a guard of its source, a quota, the registry.
void BM_SlotPoolFrame(benchmark::State& state) {
  SlotPool& pool = slot_pool();
  static FrameRegistry& registry = *new FrameRegistry(steady_clock());
  Source source(steady_clock(), "benchmark", 8);
  const AcquireRequest request{
      .domain = kHostDomain, .width = kWidth, .height = kHeight, .quota = source.quota()};
  for (auto _ : state) {
    Result<InFlight> in_flight = source.begin_frame();
    Result<Lease> lease = pool.acquire(request);
    const FrameRef frame =
        registry.attach(std::move(lease).value(), std::move(in_flight).value(), kNoPts);
    benchmark::DoNotOptimize(frame.id());
  }
}
BENCHMARK(BM_SlotPoolFrame)->Threads(1)->Threads(8)->UseRealTime();

/// A pool of GStreamer's, configured and active; kept.
GstBufferPool* activate(GstBufferPool* pool, bool video) {
  GstCaps* caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "NV12", "width",
                                      G_TYPE_INT, kWidth, "height", G_TYPE_INT, kHeight, nullptr);
  GstVideoInfo info;
  gst_video_info_from_caps(&info, caps);
  GstStructure* config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, caps, static_cast<guint>(info.size), 24, 0);
  if (video) gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  gst_buffer_pool_set_config(pool, config);
  gst_buffer_pool_set_active(pool, TRUE);
  gst_caps_unref(caps);
  return pool;
}

/// With threads that wait for a processor GStreamer 1.22's pool has been seen to turn in
/// gst_atomic_queue_push for ever, all threads of it.
bool may_hang(benchmark::State& state) {
  if (static_cast<unsigned>(state.threads()) <= std::thread::hardware_concurrency()) return false;
  state.SkipWithError("GStreamer's pool may hang with more threads than cores");
  return true;
}

void acquire_and_unref(benchmark::State& state, GstBufferPool* pool) {
  for (auto _ : state) {
    GstBuffer* buffer = nullptr;
    if (gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr) != GST_FLOW_OK) {
      state.SkipWithError("no buffer");
      break;
    }
    gst_buffer_unref(buffer);
  }
}

void BM_GstBufferPool(benchmark::State& state) {
  if (may_hang(state)) return;
  static GstBufferPool* const pool = activate(gst_buffer_pool_new(), false);
  acquire_and_unref(state, pool);
}
BENCHMARK(BM_GstBufferPool)->Threads(1)->Threads(8)->UseRealTime();

void BM_GstVideoBufferPool(benchmark::State& state) {
  if (may_hang(state)) return;
  static GstBufferPool* const pool = activate(gst_video_buffer_pool_new(), true);
  acquire_and_unref(state, pool);
}
BENCHMARK(BM_GstVideoBufferPool)->Threads(1)->Threads(8)->UseRealTime();

/// A slot as a buffer, with its memory and video meta made anew each time.
void BM_GstNv12SlotBufferPool(benchmark::State& state) {
  static GstBufferPool* const pool = activate(gst_nv12_slot_buffer_pool_new(-1), true);
  acquire_and_unref(state, pool);
}
BENCHMARK(BM_GstNv12SlotBufferPool)->Threads(1)->Threads(8)->UseRealTime();

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  using nv12slot::bench::ratio;
  gst_init(nullptr, nullptr);
  static_cast<void>(nv12slot::Process::get().pool->set_cooldown(nv12slot::Duration(0)));
  const auto against_gst = [](const char* name, const char* threads) {
    const std::string suffix = std::string("/real_time/threads:") + threads;
    return ratio(name + suffix, "time", "BM_GstBufferPool" + suffix, "time");
  };
  return nv12slot::bench::run(argc, argv,
                              {{.what = "acquire + release over GstBufferPool's, 1 thread",
                                .unit = "x",
                                .value = against_gst("BM_SlotPool", "1"),
                                .at_most = 1.0},
                               {.what = "acquire + release over GstBufferPool's, 8 threads",
                                .unit = "x",
                                .value = against_gst("BM_SlotPool", "8"),
                                .at_most = 1.0},
                               {.what = "the same with a source, a quota and a frame, 1 thread",
                                .unit = "x",
                                .value = against_gst("BM_SlotPoolFrame", "1")},
                               {.what = "the same with a source, a quota and a frame, 8 threads",
                                .unit = "x",
                                .value = against_gst("BM_SlotPoolFrame", "8")},
                               {.what = "GstNv12SlotBufferPool over GstBufferPool, 1 thread",
                                .unit = "x",
                                .value = against_gst("BM_GstNv12SlotBufferPool", "1")},
                               {.what = "GstVideoBufferPool over GstBufferPool, 1 thread",
                                .unit = "x",
                                .value = against_gst("BM_GstVideoBufferPool", "1")}});
}
