// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotcopy among the elements of gst-cuda, on the stand-in driver.

#include <cuda.h>
#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

#include <atomic>
#include <thread>

#include "cudacontext.h"
#include "gst_test.h"
#include "standin_control.h"

namespace nv12slot::gst {
namespace {

using standin::control;

constexpr int kWidth = 64;
constexpr int kHeight = 32;
constexpr Domain kDevice = 0;

class CopyCudaTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!control().present()) GTEST_SKIP() << "not the stand-in driver";
    control().reset();
    reset_pool();
    // What GStreamer loads on the way must not count.
    ASSERT_NE(gst_nv12_slot_cuda_context(kDevice), nullptr);
  }
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_EQ(control().hazards(), 0U) << control().last_hazard();
    EXPECT_TRUE(comes_to_be_unused(kDevice)) << "a reference was leaked";
    control().reset();
  }
};

/// Frames in CUDA memory of the shared context, as a decoder would push them.
class CudaHarness {
 public:
  explicit CudaHarness(const std::string& properties = "", int width = kWidth, int height = kHeight)
      : width_(width), height_(height), harness_(copy_harness("name=copy " + properties)) {
    gst_harness_set_src_caps_str(harness_, nv12_caps(width, height, true).c_str());
    pool_ = decoder_pool(gst_nv12_slot_cuda_context(kDevice));
  }
  ~CudaHarness() {
    if (pool_ != nullptr) gst_buffer_pool_set_active(pool_.get(), FALSE);
    gst_harness_teardown(harness_);
  }
  CudaHarness(const CudaHarness&) = delete;
  CudaHarness& operator=(const CudaHarness&) = delete;

  [[nodiscard]] GstHarness* get() const { return harness_; }
  [[nodiscard]] GstElement* element() const { return harness_->element; }

  /// A pool of gst-cuda's own.
  [[nodiscard]] ObjectPtr<GstBufferPool> decoder_pool(GstObject* context) const {
    ObjectPtr<GstBufferPool> pool(gst_cuda_buffer_pool_new(GST_CUDA_CONTEXT(context)));
    configure(pool.get());
    return pool;
  }
  void configure(GstBufferPool* pool) const {
    const CapsPtr caps(gst_caps_from_string(nv12_caps(width_, height_, true).c_str()));
    GstStructure* config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps.get(), 0, 0, 0);
    EXPECT_TRUE(gst_buffer_pool_set_config(pool, config));
    EXPECT_TRUE(gst_buffer_pool_set_active(pool, TRUE));
  }

  /// A buffer of `pool` with picture(seed) in it; empty if the pool has none.
  [[nodiscard]] BufferPtr make(GstBufferPool* pool, unsigned seed) const {
    GstBuffer* buffer = nullptr;
    if (gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr) != GST_FLOW_OK) return nullptr;
    fill(buffer, seed);
    return BufferPtr(buffer);
  }
  void fill(GstBuffer* buffer, unsigned seed) const {
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, static_cast<guint>(width_),
                              static_cast<guint>(height_));
    const BufferPtr system = make_buffer(width_, height_, seed);
    GstVideoFrame from;
    GstVideoFrame to;
    ASSERT_TRUE(gst_video_frame_map(&from, &info, system.get(), GST_MAP_READ));
    ASSERT_TRUE(gst_video_frame_map(&to, &info, buffer, GST_MAP_WRITE));
    EXPECT_TRUE(gst_video_frame_copy(&to, &from));
    gst_video_frame_unmap(&to);
    gst_video_frame_unmap(&from);
    // Uploads now, as a decoder's copy would be on the device.
    GstMapInfo map;
    EXPECT_TRUE(gst_memory_map(gst_buffer_peek_memory(buffer, 0), &map,
                               static_cast<GstMapFlags>(GST_MAP_READ | GST_MAP_CUDA)));
    gst_memory_unmap(gst_buffer_peek_memory(buffer, 0), &map);
  }

  GstFlowReturn push(unsigned seed) {
    return gst_harness_push(harness_, make(pool_.get(), seed).release());
  }
  BufferPtr pull() { return BufferPtr(gst_harness_try_pull(harness_)); }
  std::vector<std::uint8_t> read(GstBuffer* buffer) const {
    return read_picture(buffer, width_, height_);
  }

  /// What nv12slotcopy offers to a decoder upstream.
  [[nodiscard]] ObjectPtr<GstBufferPool> offered_pool() const {
    const CapsPtr caps(gst_caps_from_string(nv12_caps(width_, height_, true).c_str()));
    const QueryPtr query(gst_query_new_allocation(caps.get(), TRUE));
    EXPECT_TRUE(gst_pad_peer_query(harness_->srcpad, query.get()));
    GstBufferPool* pool = nullptr;
    guint size = 0;
    guint min = 7;
    guint max = 7;
    if (gst_query_get_n_allocation_pools(query.get()) == 0) return nullptr;
    gst_query_parse_nth_allocation_pool(query.get(), 0, &pool, &size, &min, &max);
    EXPECT_EQ(min, 0U) << "nothing is to be preallocated";
    EXPECT_EQ(max, 0U);
    return ObjectPtr<GstBufferPool>(pool);
  }

 private:
  const int width_, height_;
  GstHarness* const harness_;
  ObjectPtr<GstBufferPool> pool_;
};

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

// ---- Readers that wait by themselves ----------------------------------------------------------

TEST_F(CopyCudaTest, frame_is_pushed_before_its_copy_is_done_if_every_reader_waits) {
  CudaHarness harness;
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
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
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
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
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
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
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
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
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
  control().set_delay(20000, 0);
  harness.push(4);
  EXPECT_EQ(harness.read(harness.pull().get()), picture(kWidth, kHeight, 4));
}

/// The same for a reader that asks for the frame's own map.
TEST_F(CopyCudaTest, map_of_a_frame_whose_copy_is_under_way_waits_for_it) {
  CudaHarness harness;
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
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
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
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
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  control().set_delay(20000, 0);
  harness.push(4);
  const BufferPtr buffer = harness.pull();
  ASSERT_NE(control().pending_operations(kDevice), 0U);
  map_on_device(buffer.get(), [] { EXPECT_EQ(control().pending_operations(kDevice), 0U); });
}

TEST_F(CopyCudaTest, frame_that_falls_back_to_the_host_cools_although_readers_of_the_device_fence) {
  CudaHarness harness("quota=1 on-exhausted=host");
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
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
  gst_nv12_slot_declare_reader(harness.get()->sinkpad);
  gst_harness_push_upstream_event(harness.get(), gst_event_new_reconfigure());
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
