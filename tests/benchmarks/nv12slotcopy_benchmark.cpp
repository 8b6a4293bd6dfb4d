// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What nv12slotcopy adds to a buffer's way besides the copy itself: pad to pad, on the host.
#include <gst/nv12slot/nv12slot.h>
#include <gst/video/video.h>

#include <vector>

#include "bars.h"
#include "nv12slot/host_device.h"
#include "nv12slot/process.h"

namespace nv12slot {
namespace {

GstCaps* nv12_caps(int width, int height) {
  return gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "NV12", "width", G_TYPE_INT,
                             width, "height", G_TYPE_INT, height, "framerate", GST_TYPE_FRACTION,
                             30, 1, nullptr);
}

GstFlowReturn take_and_drop(GstPad*, GstObject*, GstBuffer* buffer) {
  gst_buffer_unref(buffer);
  return GST_FLOW_OK;
}

/// nv12slotcopy playing, between a pad that pushes and one that drops what comes.
class Element {
 public:
  Element(int width, int height) {
    element_ = gst_element_factory_make("nv12slotcopy", nullptr);
    gst_object_ref_sink(element_);
    g_object_set(element_, "device", -1, nullptr);
    source_ = gst_pad_new("source", GST_PAD_SRC);
    sink_ = gst_pad_new("sink", GST_PAD_SINK);
    gst_pad_set_chain_function(sink_, take_and_drop);
    link(source_, "sink");
    link(sink_, "src");
    gst_pad_set_active(source_, TRUE);
    gst_pad_set_active(sink_, TRUE);
    gst_element_set_state(element_, GST_STATE_PLAYING);
    gst_pad_push_event(source_, gst_event_new_stream_start("benchmark"));
    GstCaps* caps = nv12_caps(width, height);
    gst_pad_push_event(source_, gst_event_new_caps(caps));
    gst_caps_unref(caps);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(source_, gst_event_new_segment(&segment));
  }
  ~Element() {
    gst_pad_set_active(source_, FALSE);
    gst_element_set_state(element_, GST_STATE_NULL);
    gst_object_unref(source_);
    gst_object_unref(sink_);
    gst_object_unref(element_);
  }
  Element(const Element&) = delete;
  Element& operator=(const Element&) = delete;

  GstFlowReturn push(GstBuffer* buffer) { return gst_pad_push(source_, buffer); }

 private:
  void link(GstPad* pad, const char* name) {
    GstPad* peer = gst_element_get_static_pad(element_, name);
    gst_pad_link(GST_PAD_IS_SRC(pad) ? pad : peer, GST_PAD_IS_SRC(pad) ? peer : pad);
    gst_object_unref(peer);
  }

  GstElement* element_ = nullptr;
  GstPad* source_ = nullptr;
  GstPad* sink_ = nullptr;
};

void BM_Element(benchmark::State& state) {
  const auto width = static_cast<int>(state.range(0));
  const auto height = static_cast<int>(state.range(1));
  Element element(width, height);
  const auto size = static_cast<gsize>(width * height * 3 / 2);
  GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
  gst_buffer_memset(buffer, 0, 77, size);
  for (auto _ : state) {
    if (element.push(gst_buffer_ref(buffer)) != GST_FLOW_OK) {
      state.SkipWithError("nv12slotcopy did not take the buffer");
      break;
    }
  }
  gst_buffer_unref(buffer);
}
BENCHMARK(BM_Element)->Args({64, 64})->Args({1920, 1080})->UseRealTime();

/// The same copy by itself, into the same kind of slot.
void BM_CopyAlone(benchmark::State& state) {
  const auto width = static_cast<std::uint32_t>(state.range(0));
  const auto height = static_cast<std::uint32_t>(state.range(1));
  SlotPool& pool = *Process::get().pool;
  Result<Lease> lease = pool.acquire({.width = width, .height = height});
  if (!lease) {
    state.SkipWithError(lease.error().message.c_str());
    return;
  }
  const std::vector<std::uint8_t> picture(std::size_t{width} * height * 3 / 2, 77);
  const auto address = reinterpret_cast<std::uintptr_t>(picture.data());
  const Nv12Planes planes{address, address + std::size_t{width} * height, width, width};
  for (auto _ : state) {
    const Status copied = lease->device().copy(lease->planes(), kHostDomain, planes, kHostDomain,
                                               width, height, nullptr);
    if (!copied) state.SkipWithError(copied.error().message.c_str());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_CopyAlone)->Args({64, 64})->Args({1920, 1080})->UseRealTime();

/// A frame that upstream wrote straight into a slot.
void BM_DirectWithAcquire(benchmark::State& state) {
  Element element(1920, 1080);
  GstBufferPool* pool = gst_nv12_slot_buffer_pool_new(-1);
  GstCaps* caps = nv12_caps(1920, 1080);
  GstStructure* config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, caps, 0, 0, 0);
  gst_buffer_pool_set_config(pool, config);
  gst_buffer_pool_set_active(pool, TRUE);
  gst_caps_unref(caps);
  for (auto _ : state) {
    GstBuffer* buffer = nullptr;
    gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr);
    if (buffer == nullptr || element.push(buffer) != GST_FLOW_OK) {
      state.SkipWithError("nv12slotcopy did not take the buffer");
      break;
    }
  }
  gst_buffer_pool_set_active(pool, FALSE);
  gst_object_unref(pool);
}
BENCHMARK(BM_DirectWithAcquire)->UseRealTime();

}  // namespace
}  // namespace nv12slot

int main(int argc, char** argv) {
  using nv12slot::bench::Figures;
  gst_init(nullptr, nullptr);
  static_cast<void>(nv12slot::Process::get().pool->set_cooldown(nv12slot::Duration(0)));
  const auto beyond_the_copy = [](const char* size) {
    return [size = std::string(size)](const Figures& figures) -> std::optional<double> {
      const auto element = nv12slot::bench::figure("BM_Element/" + size, "time")(figures);
      const auto copy = nv12slot::bench::figure("BM_CopyAlone/" + size, "time")(figures);
      if (!element || !copy) return {};
      return (*element - *copy) / 1000;
    };
  };
  return nv12slot::bench::run(
      argc, argv,
      {{.what = "nv12slotcopy beyond the copy, 64 x 64",
        .unit = "us",
        .value = beyond_the_copy("64/64/real_time"),
        .at_most = 10.0},
       {.what = "nv12slotcopy beyond the copy, 1080p",
        .unit = "us",
        .value = beyond_the_copy("1920/1080/real_time"),
        .at_most = 10.0},
       {.what = "a frame written straight into its slot, with acquire",
        .unit = "ns",
        .value = nv12slot::bench::figure("BM_DirectWithAcquire/real_time", "time"),
        .at_most = 10000.0}});
}
