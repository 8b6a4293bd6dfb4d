// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotcopy before readers that wait and fence by themselves, and before those that do not, on
// the stand-in driver.

#include <gst/cuda/gstcudamemory.h>

#include <atomic>
#include <functional>
#include <thread>

#include "cuda_harness.h"
#include "gst_test.h"
#include "standin_control.h"

namespace nv12slot::gst {
namespace {

using standin::control;

TEST_F(CopyCudaTest, frame_is_pushed_before_its_copy_is_done_if_every_reader_waits) {
  CudaHarness harness;
  harness.declare_reader();
  harness.push(1);
  const BufferPtr frame = harness.pull();
  const GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(frame.get());
  ASSERT_NE(meta, nullptr);
  EXPECT_FALSE(gst_nv12_slot_frame_is_complete(meta->frame));
  EXPECT_TRUE(gst_nv12_slot_frame_wait(meta->frame, nullptr));
  EXPECT_TRUE(gst_nv12_slot_frame_fence(meta->frame, -1, nullptr));
}

TEST_F(CopyCudaTest, no_stream_is_waited_for_if_every_reader_waits) {
  CudaHarness harness;
  harness.declare_reader();
  harness.push(1);
  harness.pull();
  BufferPtr input =
      harness.make(harness.decoder_pool(gst_nv12_slot_cuda_context(kDevice)).get(), 2);
  const auto before = control().calls("cuStreamSynchronize");
  gst_harness_push(harness.get(), input.release());
  EXPECT_EQ(control().calls("cuStreamSynchronize"), before);
  harness.pull();
}

TEST_F(CopyCudaTest, input_is_kept_until_its_copy_is_complete) {
  CudaHarness harness;
  harness.declare_reader();
  control().set_delay(20000, 0);
  for (unsigned i = 0; i < 6; ++i) harness.push(i);  // each input's memory is freed or reused
  EXPECT_EQ(control().hazards(), 0U) << control().last_hazard();
  gst_harness_push_event(harness.get(), gst_event_new_eos());
  for (unsigned i = 0; i < 6; ++i) {
    const BufferPtr frame = harness.pull();
    EXPECT_TRUE(
        gst_nv12_slot_frame_wait(gst_buffer_get_nv12_slot_meta(frame.get())->frame, nullptr));
    EXPECT_EQ(harness.read(frame.get()), picture(kWidth, kHeight, i));
  }
}

/// A stream of the slot that the next frame will go to.
StreamHandle stream_of_next_slot() {
  Result<Lease> lease =
      Process::get().pool->acquire({.domain = kDevice, .width = kWidth, .height = kHeight});
  EXPECT_TRUE(lease);
  return lease->stream();  // what was used last is used next
}

// Hangs if the second frame waits for the first one's copy.
TEST_F(CopyCudaTest, copies_of_earlier_frames_are_not_waited_for_if_every_reader_waits) {
  CudaHarness harness;
  harness.declare_reader();
  harness.push(1);
  harness.pull();
  const standin::StreamGate gate(stream_of_next_slot());
  ASSERT_TRUE(gate.valid());
  harness.push(2);
  harness.push(3);
  const BufferPtr first = harness.pull();
  EXPECT_NE(harness.pull(), nullptr);
  gate.open();
}

TEST_F(CopyCudaTest, frame_whose_copy_is_under_way_is_complete_where_the_cpu_reads_it) {
  CudaHarness harness;
  harness.declare_reader();
  control().set_delay(20000, 0);
  harness.push(4);
  EXPECT_EQ(harness.read(harness.pull().get()), picture(kWidth, kHeight, 4));
}

/// The same for a reader that asks for the frame's own map.
TEST_F(CopyCudaTest, map_of_a_frame_whose_copy_is_under_way_waits_for_it) {
  CudaHarness harness;
  harness.declare_reader();
  control().set_delay(20000, 0);
  harness.push(4);
  const BufferPtr buffer = harness.pull();
  GstNv12SlotFrame* frame = gst_buffer_get_nv12_slot_meta(buffer.get())->frame;
  ASSERT_FALSE(gst_nv12_slot_frame_is_complete(frame));
  GstNv12SlotMap map;
  ASSERT_TRUE(gst_nv12_slot_frame_map(frame, &map));
  std::vector<std::uint8_t> seen;
  for (const guint plane : {0, 1}) {
    const guint rows = plane == 0 ? map.height : map.height / 2;
    for (guint row = 0; row < rows; ++row) {
      const guint8* from = map.data[plane] + row * map.stride[plane];
      seen.insert(seen.end(), from, from + map.width);
    }
  }
  EXPECT_EQ(seen, picture(kWidth, kHeight, 4));
  gst_nv12_slot_frame_unmap(frame, &map);
}

TEST_F(CopyCudaTest, map_of_a_device_frame_does_not_keep_the_slot) {
  CudaHarness harness;
  harness.push(1);
  BufferPtr buffer = harness.pull();
  GstNv12SlotMap map;
  GstNv12SlotFrame* frame = gst_buffer_get_nv12_slot_meta(buffer.get())->frame;
  ASSERT_TRUE(gst_nv12_slot_frame_map(frame, &map));
  GBytes* y = gst_nv12_slot_map_get_plane(&map, 0);
  gst_nv12_slot_frame_unmap(frame, &map);
  buffer.reset();
  EXPECT_TRUE(comes_to_be_unused(kDevice));
  EXPECT_EQ(static_cast<const std::uint8_t*>(g_bytes_get_data(y, nullptr))[5],
            picture(kWidth, kHeight, 1)[5]);
  g_bytes_unref(y);
}

TEST_F(CopyCudaTest, map_of_a_frame_of_a_device_that_fails_is_refused) {
  CudaHarness harness;
  harness.push(1);
  const BufferPtr buffer = harness.pull();
  control().fail("cuMemcpy2DAsync", 719, 0, 1);
  GstNv12SlotMap map;
  EXPECT_FALSE(gst_nv12_slot_frame_map(gst_buffer_get_nv12_slot_meta(buffer.get())->frame, &map));
  EXPECT_EQ(map.data[0], nullptr);
}

/// Pushes a frame that every reader promised to fence, has `read` do something with it, and says
/// whether its slot cools afterwards.
bool cools_after(CudaHarness& harness, const std::function<void(GstBuffer*)>& read) {
  harness.declare_reader();
  EXPECT_TRUE(Process::get().pool->set_cooldown(SlotPool::kMaxCooldown));
  harness.push(1);
  BufferPtr buffer = harness.pull();
  read(buffer.get());
  const unsigned active = Process::get().pool->stats(kDevice).active;
  buffer.reset();
  EXPECT_EQ(Process::get().pool->stats(kDevice).active, active - 1);
  const bool cools = !comes_to_be_unused(kDevice);
  reset_pool();
  return cools;
}

TEST_F(CopyCudaTest, slot_that_every_reader_fenced_is_free_when_the_fences_are_complete) {
  CudaHarness harness;
  EXPECT_FALSE(cools_after(harness, [](GstBuffer* buffer) {
    GstNv12SlotFrame* frame = gst_buffer_get_nv12_slot_meta(buffer)->frame;
    EXPECT_TRUE(gst_nv12_slot_frame_wait(frame, nullptr));
    EXPECT_TRUE(gst_nv12_slot_frame_fence(frame, -1, nullptr));
  }));
}

void map_on_device(GstBuffer* buffer, const std::function<void()>& read = {}) {
  GstMapInfo map;
  ASSERT_TRUE(gst_buffer_map(buffer, &map, static_cast<GstMapFlags>(GST_MAP_READ | GST_MAP_CUDA)));
  if (read) read();
  gst_buffer_unmap(buffer, &map);
}

TEST_F(CopyCudaTest, reader_that_maps_the_memory_on_the_device_brings_the_cooldown_back) {
  CudaHarness harness;
  EXPECT_TRUE(cools_after(harness, [](GstBuffer* buffer) { map_on_device(buffer); }));
}

TEST_F(CopyCudaTest, reader_that_maps_the_memory_on_the_host_needs_no_cooldown) {
  CudaHarness harness;
  EXPECT_FALSE(cools_after(harness, [&](GstBuffer* buffer) {
    EXPECT_EQ(harness.read(buffer), picture(kWidth, kHeight, 1));
  }));
}

TEST_F(CopyCudaTest, frame_whose_copy_is_under_way_is_complete_where_its_memory_is_mapped) {
  CudaHarness harness;
  harness.declare_reader();
  control().set_delay(20000, 0);
  harness.push(4);
  const BufferPtr buffer = harness.pull();
  ASSERT_NE(control().pending_operations(kDevice), 0U);
  map_on_device(buffer.get(), [] { EXPECT_EQ(control().pending_operations(kDevice), 0U); });
}

TEST_F(CopyCudaTest, frame_that_falls_back_to_the_host_cools_although_readers_of_the_device_fence) {
  CudaHarness harness("quota=1 on-exhausted=host");
  harness.declare_reader();
  harness.push(1);
  const BufferPtr on_device = harness.pull();
  ASSERT_TRUE(Process::get().pool->set_cooldown(SlotPool::kMaxCooldown));
  const unsigned cooling = Process::get().pool->stats(kHostDomain).cooling;
  harness.push(2);
  BufferPtr on_host = harness.pull();
  ASSERT_NE(on_host, nullptr);
  ASSERT_FALSE(gst_is_cuda_memory(gst_buffer_peek_memory(on_host.get(), 0)));
  on_host.reset();
  EXPECT_EQ(Process::get().pool->stats(kHostDomain).cooling, cooling + 1);
  reset_pool();
}

// element                      main
//   stops: waits for the copy
//                                the copy may go on
//   gives the input back
TEST_F(CopyCudaTest, element_that_stops_keeps_its_input_until_the_copy_is_complete) {
  CudaHarness harness;
  harness.declare_reader();
  harness.push(1);
  harness.pull();
  const standin::StreamGate gate(stream_of_next_slot());
  harness.push(2);
  const BufferPtr frame = harness.pull();
  const auto before = control().calls("cuStreamSynchronize");
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    gst_element_set_state(harness.element(), GST_STATE_READY);
    stopped = true;
  });
  while (!stopped && control().calls("cuStreamSynchronize") == before) std::this_thread::yield();
  EXPECT_FALSE(stopped);
  gate.open();
  stopper.join();
}

}  // namespace
}  // namespace nv12slot::gst
