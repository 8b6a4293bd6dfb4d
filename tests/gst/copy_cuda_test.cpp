// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotcopy among the elements of gst-cuda, on the stand-in driver.

#include <cuda.h>
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

#include <thread>

#include "cuda_harness.h"
#include "cudacontext.h"
#include "gst_test.h"
#include "standin_control.h"

namespace nv12slot::gst {
namespace {

using standin::control;

TEST_F(CopyCudaTest, device_frames_are_copied_bit_exactly) {
  CudaHarness harness;
  for (unsigned i = 0; i < 4; ++i) {
    ASSERT_EQ(harness.push(i), GST_FLOW_OK);
    const BufferPtr frame = harness.pull();
    ASSERT_NE(frame, nullptr);
    EXPECT_TRUE(gst_is_cuda_memory(gst_buffer_peek_memory(frame.get(), 0)));
    EXPECT_EQ(harness.read(frame.get()), picture(kWidth, kHeight, i));
    const GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(frame.get());
    ASSERT_NE(meta, nullptr);
    EXPECT_EQ(gst_nv12_slot_frame_get_device(meta->frame), kDevice);
  }
  EXPECT_EQ(stat(harness.element(), "copied"), 4U);
}

TEST_F(CopyCudaTest, system_memory_goes_through_the_device_and_back_bit_exactly) {
  std::vector<BufferPtr> out;
  const auto collect = [](GstElement*, GstBuffer* buffer, GstPad*, gpointer frames) {
    static_cast<std::vector<BufferPtr>*>(frames)->emplace_back(gst_buffer_ref(buffer));
  };
  for (const char* middle : {"cudaupload ! nv12slotcopy name=copy ! cudadownload",
                             "nv12slotcopy name=copy ! cudadownload", "identity name=copy"}) {
    GstElement* pipeline = gst_parse_launch(
        ("videotestsrc num-buffers=3 pattern=smpte ! " + nv12_caps(322, 242) + " ! " + middle +
         " ! " + nv12_caps(322, 242) + " ! fakesink name=sink signal-handoffs=true")
            .c_str(),
        nullptr);
    gst_object_ref_sink(pipeline);
    {
      const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
      g_signal_connect(
          sink.get(), "handoff",
          G_CALLBACK(static_cast<void (*)(GstElement*, GstBuffer*, GstPad*, gpointer)>(collect)),
          &out);
      const RunResult result = play(pipeline);
      EXPECT_TRUE(result.eos) << middle << ": " << result.error << result.debug;
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
  }
  ASSERT_EQ(out.size(), 9U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(read_picture(out[i].get(), 322, 242), read_picture(out[6 + i % 3].get(), 322, 242));
  }
}

TEST_F(CopyCudaTest, device_frames_come_to_the_host_where_downstream_takes_only_that) {
  CudaHarness harness;
  gst_harness_set_sink_caps_str(harness.get(), "video/x-raw,format=NV12");
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
  ASSERT_EQ(harness.push(3), GST_FLOW_OK);
  const BufferPtr frame = harness.pull();
  ASSERT_NE(frame, nullptr);
  EXPECT_FALSE(gst_is_cuda_memory(gst_buffer_peek_memory(frame.get(), 0)));
  EXPECT_EQ(harness.read(frame.get()), picture(kWidth, kHeight, 3));
}

// ---- Context ----------------------------------------------------------------------------------

TEST_F(CopyCudaTest, all_elements_of_a_pipeline_share_the_one_context_of_the_device) {
  GstElement* pipeline = gst_parse_launch(
      "videotestsrc num-buffers=1 ! video/x-raw,format=NV12 ! cudaupload ! nv12slotcopy ! "
      "cudadownload ! fakesink",
      nullptr);
  gst_object_ref_sink(pipeline);
  const auto contexts = control().live_contexts(kDevice);
  EXPECT_TRUE(play(pipeline).eos);
  EXPECT_EQ(control().live_contexts(kDevice), contexts) << "a peer made a context of its own";
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

/// The neighbour downstream goes to READY first and asks; those that are not linked to either must
/// be told all the same.
TEST_F(CopyCudaTest, context_is_announced_although_a_neighbour_asked_before) {
  GstElement* pipeline = gst_parse_launch(
      "videotestsrc num-buffers=1 ! video/x-raw,format=NV12 ! nv12slotcopy ! cudadownload ! "
      "fakesink",
      nullptr);
  gst_object_ref_sink(pipeline);
  const ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline));
  gst_element_set_state(pipeline, GST_STATE_READY);
  bool announced = false;
  while (GstMessage* message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_HAVE_CONTEXT)) {
    announced = announced || std::string(GST_MESSAGE_SRC_NAME(message)).starts_with("nv12slotcopy");
    gst_message_unref(message);
  }
  EXPECT_TRUE(announced);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

TEST_F(CopyCudaTest, question_about_another_kind_of_context_opens_no_device) {
  const ObjectPtr<GstElement> element(static_cast<GstElement*>(
      gst_object_ref_sink(gst_element_factory_make("nv12slotcopy", nullptr))));
  g_object_set(element.get(), "device", 1, nullptr);
  const QueryPtr query(gst_query_new_context("gst.gl.GLDisplay"));
  EXPECT_FALSE(gst_element_query(element.get(), query.get()));
  EXPECT_EQ(control().live_contexts(1), 0U);
}

TEST_F(CopyCudaTest, context_query_is_answered_with_the_processes_context) {
  CudaHarness harness;
  const QueryPtr query(gst_query_new_context("gst.cuda.context"));
  ASSERT_TRUE(gst_pad_peer_query(harness.get()->srcpad, query.get()));
  GstContext* context = nullptr;
  gst_query_parse_context(query.get(), &context);
  EXPECT_EQ(cuda_context_of(context).get(), gst_nv12_slot_cuda_context(kDevice));
}

TEST_F(CopyCudaTest, memory_of_a_foreign_context_is_an_error_that_says_what_to_do) {
  CudaHarness harness;
  const ObjectPtr<GstObject> foreign(GST_OBJECT(gst_cuda_context_new(kDevice)));
  const ObjectPtr<GstBus> bus(gst_bus_new());
  gst_element_set_bus(harness.element(), bus.get());
  {
    const auto pool = harness.decoder_pool(foreign.get());
    EXPECT_EQ(gst_harness_push(harness.get(), harness.make(pool.get(), 1).release()),
              GST_FLOW_ERROR);
    gst_buffer_pool_set_active(pool.get(), FALSE);
  }
  GstMessage* message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR);
  ASSERT_NE(message, nullptr);
  GError* error = nullptr;
  gchar* debug = nullptr;
  gst_message_parse_error(message, &error, &debug);
  EXPECT_TRUE(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
  EXPECT_NE(std::string(debug).find("gst_nv12_slot_cuda_context"), std::string::npos);
  g_error_free(error);
  g_free(debug);
  gst_message_unref(message);
  gst_element_set_bus(harness.element(), nullptr);
}

TEST_F(CopyCudaTest, context_of_the_application_is_taken_if_it_is_the_primary_one) {
  for (const bool primary : {true, false}) {
    GstObject* own = gst_nv12_slot_cuda_context(kDevice);
    const ObjectPtr<GstObject> given(GST_OBJECT(
        primary ? gst_cuda_context_new_wrapped(
                      static_cast<CUcontext>(gst_cuda_context_get_handle(GST_CUDA_CONTEXT(own))),
                      kDevice)
                : gst_cuda_context_new(kDevice)));
    const ObjectPtr<GstElement> element(static_cast<GstElement*>(
        gst_object_ref_sink(gst_element_factory_make("nv12slotcopy", nullptr))));
    const ContextPtr context(gst_context_new("gst.cuda.context", TRUE));
    gst_structure_set(gst_context_writable_structure(context.get()), "gst.cuda.context",
                      GST_TYPE_CUDA_CONTEXT, given.get(), nullptr);
    gst_element_set_context(element.get(), context.get());
    gst_element_set_state(element.get(), GST_STATE_READY);
    const ObjectPtr<GstPad> pad(gst_element_get_static_pad(element.get(), "sink"));
    const QueryPtr query(gst_query_new_context("gst.cuda.context"));
    ASSERT_TRUE(gst_pad_query(pad.get(), query.get()));
    GstContext* answer = nullptr;
    gst_query_parse_context(query.get(), &answer);
    EXPECT_EQ(cuda_context_of(answer).get(), primary ? given.get() : own);
    gst_element_set_state(element.get(), GST_STATE_NULL);
  }
}

// ---- Decoding into slots ----------------------------------------------------------------------

TEST_F(CopyCudaTest, decoder_is_offered_a_pool_that_it_takes) {
  CudaHarness harness;
  const auto pool = harness.offered_pool();
  ASSERT_NE(pool, nullptr);
  ASSERT_TRUE(GST_IS_CUDA_BUFFER_POOL(pool.get()));
  EXPECT_EQ(GST_OBJECT(GST_CUDA_BUFFER_POOL(pool.get())->context),
            gst_nv12_slot_cuda_context(kDevice));
  harness.configure(pool.get());
  BufferPtr input = harness.make(pool.get(), 5);
  const GstMemory* memory = gst_buffer_peek_memory(input.get(), 0);
  ASSERT_EQ(gst_harness_push(harness.get(), input.release()), GST_FLOW_OK);
  const BufferPtr frame = harness.pull();
  EXPECT_EQ(gst_buffer_peek_memory(frame.get(), 0), memory);
  EXPECT_EQ(harness.read(frame.get()), picture(kWidth, kHeight, 5));
  EXPECT_EQ(stat(harness.element(), "direct"), 1U);
}

TEST_F(CopyCudaTest, no_pool_is_offered_where_frames_go_to_the_host) {
  CudaHarness harness;
  gst_harness_set_sink_caps_str(harness.get(), "video/x-raw,format=NV12");
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
  ASSERT_EQ(harness.push(3), GST_FLOW_OK);
  harness.pull();
  EXPECT_EQ(harness.offered_pool(), nullptr);
}

TEST_F(CopyCudaTest, frame_that_the_cpu_wrote_into_its_slot_is_on_the_device_when_it_is_pushed) {
  CudaHarness harness;
  const auto pool = harness.offered_pool();
  harness.configure(pool.get());
  GstBuffer* buffer = nullptr;
  ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool.get(), &buffer, nullptr), GST_FLOW_OK);
  gst_buffer_memset(buffer, 0, 7, gst_buffer_get_size(buffer));
  ASSERT_EQ(gst_harness_push(harness.get(), buffer), GST_FLOW_OK);
  const BufferPtr frame = harness.pull();
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(gst_buffer_get_nv12_slot_meta(frame.get())->frame, &planes);
  Device* const device = *Process::get().pool->device(kDevice);
  std::vector<std::uint8_t> seen(kWidth * kHeight * 3 / 2);
  const auto address = reinterpret_cast<std::uintptr_t>(seen.data());
  const StreamHandle stream = *device->take_stream();
  EXPECT_TRUE(device->copy({address, address + kWidth * kHeight, kWidth, kWidth}, kHostDomain,
                           {planes.data[0], planes.data[1], planes.stride[0], planes.stride[1]},
                           kDevice, kWidth, kHeight, stream));
  EXPECT_TRUE(device->synchronize(stream));
  device->give_stream(stream);
  EXPECT_EQ(seen[5], 7);
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

TEST_F(CopyCudaTest, exhaustion_is_no_error_of_the_decoder_and_drops_the_frame) {
  CudaHarness harness("quota=1");
  const auto pool = harness.offered_pool();
  harness.configure(pool.get());
  ASSERT_EQ(gst_harness_push(harness.get(), harness.make(pool.get(), 1).release()), GST_FLOW_OK);
  for (unsigned i = 2; i < 5; ++i) {
    BufferPtr spilled = harness.make(pool.get(), i);
    ASSERT_NE(spilled, nullptr) << "a decoder would end the pipeline";
    ASSERT_EQ(gst_harness_push(harness.get(), spilled.release()), GST_FLOW_OK);
  }
  EXPECT_EQ(stat(harness.element(), "dropped"), 3U);
  EXPECT_EQ(Process::get().pool->stats(kDevice).reserve, 1U);
  EXPECT_EQ(harness.read(harness.pull().get()), picture(kWidth, kHeight, 1));
  ASSERT_EQ(gst_harness_push(harness.get(), harness.make(pool.get(), 6).release()), GST_FLOW_OK);
  EXPECT_EQ(harness.read(harness.pull().get()), picture(kWidth, kHeight, 6));
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

TEST_F(CopyCudaTest, spilled_frame_goes_to_the_host_where_that_is_the_policy) {
  CudaHarness harness("quota=1 on-exhausted=host");
  const auto pool = harness.offered_pool();
  harness.configure(pool.get());
  gst_harness_push(harness.get(), harness.make(pool.get(), 1).release());
  gst_harness_push(harness.get(), harness.make(pool.get(), 2).release());
  const BufferPtr first = harness.pull();
  const BufferPtr second = harness.pull();
  ASSERT_NE(second, nullptr);
  EXPECT_FALSE(gst_is_cuda_memory(gst_buffer_peek_memory(second.get(), 0)));
  EXPECT_EQ(harness.read(second.get()), picture(kWidth, kHeight, 2));
  EXPECT_EQ(stat(harness.element(), "host-fallbacks"), 1U);
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

TEST_F(CopyCudaTest, spilled_frame_that_was_overwritten_is_dropped_not_shown) {
  CudaHarness harness("quota=2 on-exhausted=host");
  const auto pool = harness.offered_pool();
  harness.configure(pool.get());
  const BufferPtr held = harness.make(pool.get(), 1);
  const BufferPtr also_held = harness.make(pool.get(), 1);
  BufferPtr overwritten = harness.make(pool.get(), 2);
  BufferPtr last = harness.make(pool.get(), 3);
  gst_harness_push(harness.get(), overwritten.release());
  EXPECT_EQ(harness.pull(), nullptr) << "shows the frame that came after it";
  gst_harness_push(harness.get(), last.release());
  EXPECT_EQ(stat(harness.element(), "dropped"), 1U);
  EXPECT_EQ(harness.read(harness.pull().get()), picture(kWidth, kHeight, 3));
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

TEST_F(CopyCudaTest, element_that_stops_wakes_a_decoder_that_waits_in_its_pool) {
  CudaHarness harness("quota=1 on-exhausted=block timeout=18446744073709551615");
  const auto pool = harness.offered_pool();
  harness.configure(pool.get());
  BufferPtr held = harness.make(pool.get(), 1);
  const auto blocked = Process::get().pool->stats(kDevice).blocked;
  GstFlowReturn result = GST_FLOW_OK;
  std::thread decoder([&] {
    GstBuffer* buffer = nullptr;
    result = gst_buffer_pool_acquire_buffer(pool.get(), &buffer, nullptr);
  });
  while (Process::get().pool->stats(kDevice).blocked == blocked) std::this_thread::yield();
  gst_element_set_state(harness.element(), GST_STATE_READY);
  decoder.join();
  EXPECT_EQ(result, GST_FLOW_FLUSHING);
  held.reset();
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

TEST_F(CopyCudaTest, h264_is_decoded_straight_into_slots) {
  const char* decoder = has_element("nvh264sldec") ? "nvh264sldec" : "nvh264dec";
  if (!has_element("x264enc") || !has_element("h264parse")) {
    GTEST_SKIP() << "no x264enc or h264parse";
  }
  const RunResult result = play(
      std::string("videotestsrc num-buffers=8 ! video/x-raw,format=I420,width=320,height=240 ! "
                  "x264enc tune=zerolatency ! h264parse ! ") +
          decoder + " ! nv12slotcopy name=copy ! fakesink",
      [](GstBin* pipeline) {
        const ObjectPtr<GstElement> copy(gst_bin_get_by_name(pipeline, "copy"));
        EXPECT_EQ(stat(copy.get(), "direct"), 8U);
        EXPECT_EQ(stat(copy.get(), "copied"), 0U);
      });
  EXPECT_TRUE(result.eos) << result.error << result.debug;
}

// ---- Faults -----------------------------------------------------------------------------------

TEST_F(CopyCudaTest, device_out_of_memory_is_exhaustion_and_the_host_takes_over) {
  CudaHarness harness("on-exhausted=host", 640, 480);
  control().set_memory_limit(control().bytes_allocated(kDevice));
  control().fail("cuMemAllocFromPoolAsync", CUDA_ERROR_OUT_OF_MEMORY, 0, -1);
  control().fail("cuMemAllocAsync", CUDA_ERROR_OUT_OF_MEMORY, 0, -1);
  ASSERT_EQ(gst_harness_push(harness.get(), make_buffer(640, 480, 4).release()), GST_FLOW_OK);
  BufferPtr frame = harness.pull();
  ASSERT_NE(frame, nullptr);
  EXPECT_FALSE(gst_is_cuda_memory(gst_buffer_peek_memory(frame.get(), 0)));
  EXPECT_EQ(read_picture(frame.get(), 640, 480), picture(640, 480, 4));
  EXPECT_EQ(stat(harness.element(), "host-fallbacks"), 1U);

  control().reset();
  ASSERT_EQ(gst_harness_push(harness.get(), make_buffer(640, 480, 5).release()), GST_FLOW_OK);
  frame = harness.pull();
  EXPECT_TRUE(gst_is_cuda_memory(gst_buffer_peek_memory(frame.get(), 0))) << "back on the device";
  EXPECT_EQ(read_picture(frame.get(), 640, 480), picture(640, 480, 5));
}

TEST_F(CopyCudaTest, device_out_of_memory_counts_as_exhaustion_and_not_as_a_failure) {
  CudaHarness harness("", 800, 600);
  control().fail("cuMemAllocFromPoolAsync", CUDA_ERROR_OUT_OF_MEMORY, 0, -1);
  EXPECT_EQ(gst_harness_push(harness.get(), make_buffer(800, 600, 1).release()), GST_FLOW_OK);
  EXPECT_EQ(stat(harness.element(), "exhausted"), 1U);
  EXPECT_EQ(stat(harness.element(), "failed-copies"), 0U);
}

TEST_F(CopyCudaTest, failed_copy_drops_the_frame_quarantines_the_slot_and_goes_on) {
  CudaHarness harness;
  harness.push(1);
  harness.pull();
  const auto quarantined = Process::get().pool->stats(kDevice).quarantined;
  BufferPtr input =
      harness.make(harness.decoder_pool(gst_nv12_slot_cuda_context(kDevice)).get(), 2);
  control().fail("cuLaunchKernel", CUDA_ERROR_LAUNCH_FAILED, 0, 1);
  control().fail("cuMemcpy2DAsync", CUDA_ERROR_LAUNCH_FAILED, 0, 1);
  EXPECT_EQ(gst_harness_push(harness.get(), input.release()), GST_FLOW_OK);
  EXPECT_EQ(harness.pull(), nullptr);
  EXPECT_EQ(stat(harness.element(), "failed-copies"), 1U);
  EXPECT_EQ(Process::get().pool->stats(kDevice).quarantined, quarantined + 1);
  control().reset();
  harness.push(3);
  EXPECT_EQ(harness.read(harness.pull().get()), picture(kWidth, kHeight, 3));
}

// ---- Cameras that come and go -----------------------------------------------------------------

TEST_F(CopyCudaTest, frame_outlives_the_pipeline_and_the_decoders_memory) {
  BufferPtr frame;
  {
    CudaHarness harness;
    harness.push(7);
    frame = harness.pull();
  }
  EXPECT_EQ(read_picture(frame.get(), kWidth, kHeight), picture(kWidth, kHeight, 7));
}

TEST_F(CopyCudaTest, warm_reconnect_makes_no_allocation_and_no_free) {
  const auto reconnect = [] {
    CudaHarness harness;
    const auto pool = harness.offered_pool();
    harness.configure(pool.get());
    for (int i = 0; i < 4; ++i) {
      GstBuffer* buffer = nullptr;
      ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool.get(), &buffer, nullptr), GST_FLOW_OK);
      ASSERT_EQ(gst_harness_push(harness.get(), buffer), GST_FLOW_OK);
    }
    while (harness.pull() != nullptr) {
    }
    gst_buffer_pool_set_active(pool.get(), FALSE);
  };
  reconnect();
  // The harness' own pool, which stands for what a decoder has, makes and frees one picture.
  const auto own = [] {
    const CudaHarness harness;
    return 0;
  };
  control().reset();
  own();
  const auto alloc = control().calls("cuMemAllocPitch");
  const auto free = control().calls("cuMemFree");
  control().reset();
  reconnect();
  EXPECT_EQ(control().calls("cuMemAllocPitch"), alloc);
  EXPECT_EQ(control().calls("cuMemFree"), free);
  EXPECT_EQ(control().calls("cuMemAllocFromPoolAsync") + control().calls("cuMemAllocAsync"), 0U);
  EXPECT_EQ(control().calls("cuMemFreeAsync"), 0U);
  EXPECT_EQ(control().calls("cuStreamCreateWithPriority") + control().calls("cuStreamCreate"), 0U);
  EXPECT_EQ(control().calls("cuCtxSynchronize"), 0U);
}

TEST_F(CopyCudaTest, warm_copies_to_the_host_make_no_stream) {
  CudaHarness harness;
  gst_harness_set_sink_caps_str(harness.get(), "video/x-raw,format=NV12");
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
  harness.push(1);
  const auto before = control().live_streams(kDevice);
  for (unsigned i = 0; i < 3; ++i) harness.push(i);
  EXPECT_EQ(control().live_streams(kDevice), before);
}

TEST_F(CopyCudaTest, warm_reads_of_a_frame_by_the_cpu_make_no_stream) {
  CudaHarness harness;
  const auto read = [&harness](unsigned seed) {
    harness.push(seed);
    EXPECT_EQ(harness.read(harness.pull().get()), picture(kWidth, kHeight, seed));
  };
  read(1);
  const auto before = control().live_streams(kDevice);
  for (unsigned i = 2; i < 5; ++i) read(i);
  EXPECT_EQ(control().live_streams(kDevice), before);
}

TEST_F(CopyCudaTest, plane_whose_place_wraps_around_is_not_read) {
  CudaHarness harness;
  const auto pool = harness.decoder_pool(gst_nv12_slot_cuda_context(kDevice));
  // All before the first is pushed: what comes back to the pool keeps its meta.
  std::vector<BufferPtr> inputs;
  for (int i = 0; i < 3; ++i) inputs.push_back(harness.make(pool.get(), 1));
  for (const gsize offset : {G_MAXSIZE, G_MAXSIZE - 64, G_MAXSIZE / 2}) {
    BufferPtr input = std::move(inputs.back());
    inputs.pop_back();
    GstVideoMeta* const meta = gst_buffer_get_video_meta(input.get());
    ASSERT_NE(meta, nullptr);
    meta->offset[1] = offset;
    EXPECT_EQ(gst_harness_push(harness.get(), input.release()), GST_FLOW_OK);
    EXPECT_EQ(harness.pull(), nullptr);
  }
  EXPECT_EQ(stat(harness.element(), "bad-inputs"), 3U);
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

// ---- Memory -----------------------------------------------------------------------------------

TEST_F(CopyCudaTest, shallow_copy_of_a_buffer_shares_its_memory) {
  CudaHarness harness;
  harness.push(1);
  const BufferPtr frame = harness.pull();
  const auto allocations = control().calls("cuMemAllocPitch");
  const BufferPtr copy(gst_buffer_copy(frame.get()));
  EXPECT_EQ(gst_buffer_peek_memory(copy.get(), 0), gst_buffer_peek_memory(frame.get(), 0));
  EXPECT_EQ(control().calls("cuMemAllocPitch"), allocations)
      << "an element that makes a frame of a tee writable must not allocate device memory";
  EXPECT_NE(gst_buffer_get_nv12_slot_meta(copy.get()), nullptr);
}

TEST_F(CopyCudaTest, part_of_the_memory_is_a_copy_of_its_bytes) {
  CudaHarness harness;
  harness.push(1);
  const BufferPtr frame = harness.pull();
  const BufferPtr part(gst_buffer_copy_region(frame.get(), GST_BUFFER_COPY_MEMORY, 3, 5));
  ASSERT_NE(part, nullptr);
  EXPECT_FALSE(gst_is_cuda_memory(gst_buffer_peek_memory(part.get(), 0)));
  const std::vector<std::uint8_t> all = picture(kWidth, kHeight, 1);
  EXPECT_EQ(gst_buffer_memcmp(part.get(), 0, all.data() + 3, 5), 0);
}

TEST_F(CopyCudaTest, cpu_write_is_seen_by_the_device) {
  CudaHarness harness;
  harness.push(1);
  const BufferPtr frame = harness.pull();
  harness.fill(frame.get(), 8);  // writes through the CPU, then maps for the device
  const BufferPtr copy(gst_buffer_copy_deep(frame.get()));  // made on the device
  EXPECT_EQ(harness.read(copy.get()), picture(kWidth, kHeight, 8));
}

TEST_F(CopyCudaTest, memory_info_is_the_slots_layout) {
  CudaHarness harness;
  harness.push(1);
  const BufferPtr frame = harness.pull();
  const auto* memory = GST_CUDA_MEMORY_CAST(gst_buffer_peek_memory(frame.get(), 0));
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(gst_buffer_get_nv12_slot_meta(frame.get())->frame, &planes);
  EXPECT_EQ(static_cast<gsize>(memory->info.stride[0]), planes.stride[0]);
  EXPECT_EQ(memory->info.offset[1], planes.data[1] - planes.data[0]);
  EXPECT_EQ(memory->info.size, gst_buffer_get_size(frame.get()));
}

}  // namespace
}  // namespace nv12slot::gst
