// SPDX-License-Identifier: LGPL-2.1-or-later
#include <atomic>
#include <memory>
#include <thread>

#include "config.h"
#include "nv12slot/cuda_device.h"
#include "tensor_fixture.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#include <gst/analytics/gsttensormeta.h>
#endif

namespace nv12slot::gst {
namespace {

TEST_F(TensorTest, a_white_picture_is_ones_and_the_border_is_grey) {
  open("width=16 height=16");
  caps(harness_, 32, 16, ",colorimetry=bt709");
  ASSERT_EQ(gst_harness_push(harness_, plain(32, 16, 235).release()), GST_FLOW_OK);
  const BufferPtr tensor = pull();
  const std::vector<float> values = elements<float>(tensor.get());
  ASSERT_EQ(values.size(), 3U * 16 * 16);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t row = i / 16 % 16;
    EXPECT_NEAR(values[i], row >= 4 && row < 12 ? 1.0 : 114.0 / 255, 1e-3) << i;
  }
}

TEST_F(TensorTest, the_meta_says_where_the_picture_is_and_whose_it_is) {
  open("width=640 height=640");
  caps(harness_, 1280, 720);
  GstHarness* const copy = copy_harness("device=-1 source-name=gate");
  gst_harness_set_src_caps_str(copy, nv12_caps(1280, 720).c_str());
  BufferPtr picture = plain(1280, 720, 100);
  GST_BUFFER_PTS(picture.get()) = 7 * GST_SECOND;
  gst_harness_push(copy, picture.release());
  GstBuffer* const frame = gst_harness_pull(copy);
  const guint64 id = gst_nv12_slot_frame_get_id(gst_buffer_get_nv12_slot_meta(frame)->frame);
  gst_harness_push(harness_, frame);
  gst_harness_teardown(copy);

  const BufferPtr tensor = pull();
  const GstNv12TensorMeta* const meta = gst_buffer_get_nv12_tensor_meta(tensor.get());
  ASSERT_NE(meta, nullptr);
  EXPECT_EQ(meta->type, GST_NV12_TENSOR_FLOAT32);
  EXPECT_EQ(meta->shape[0], 1U);
  EXPECT_EQ(meta->shape[1], 3U);
  EXPECT_EQ(meta->shape[2], 640U);
  EXPECT_EQ(meta->shape[3], 640U);
  ASSERT_EQ(meta->n_items, 1U);
  const GstNv12TensorItem& item = meta->items[0];
  EXPECT_STREQ(item.source_name, "gate");
  EXPECT_EQ(item.frame_id, id);
  EXPECT_EQ(item.pts, 7 * GST_SECOND);
  EXPECT_EQ(item.width, 1280U);
  EXPECT_EQ(item.height, 720U);
  EXPECT_DOUBLE_EQ(item.scale_x, 0.5);
  EXPECT_DOUBLE_EQ(item.scale_y, 0.5);
  EXPECT_DOUBLE_EQ(item.offset_x, 0);
  EXPECT_DOUBLE_EQ(item.offset_y, 140);
}

#ifdef HAVE_GST_ANALYTICS
TEST_F(TensorTest, gstreamers_own_meta_says_the_same) {
  open("width=16 height=8 batch-size=2 batch-timeout=1000000 dtype=f16");
  caps(harness_, 32, 32);
  gst_harness_push(harness_, plain(32, 32, 100).release());
  const BufferPtr buffer = pull();
  GstTensorMeta* const meta = gst_buffer_get_tensor_meta(buffer.get());
  ASSERT_NE(meta, nullptr);
  ASSERT_EQ(meta->num_tensors, 1U);
  const GstTensor* const tensor = gst_tensor_meta_get(meta, 0);
  EXPECT_STREQ(g_quark_to_string(tensor->id), "nv12slottensor");
  EXPECT_EQ(tensor->data_type, GST_TENSOR_DATA_TYPE_FLOAT16);
  EXPECT_EQ(tensor->dims_order, GST_TENSOR_DIM_ORDER_ROW_MAJOR);
  const std::vector<gsize> shape(tensor->dims, tensor->dims + tensor->num_dims);
  EXPECT_EQ(shape, (std::vector<gsize>{2, 3, 8, 16}));
  EXPECT_EQ(gst_buffer_peek_memory(tensor->data, 0), gst_buffer_peek_memory(buffer.get(), 0))
      << "no copy of it";
  EXPECT_EQ(elements<guint16>(tensor->data), elements<guint16>(buffer.get()));
}
#endif

TEST_F(TensorTest, shallow_copies_keep_the_meta_and_deep_ones_do_not) {
  open("width=16 height=16");
  caps(harness_, 32, 32);
  gst_harness_push(harness_, plain(32, 32, 100).release());
  const BufferPtr tensor = pull();
  const BufferPtr shallow(gst_buffer_copy(tensor.get()));
  const BufferPtr deep(gst_buffer_copy_deep(tensor.get()));
  const GstNv12TensorMeta* const copied = gst_buffer_get_nv12_tensor_meta(shallow.get());
  ASSERT_NE(copied, nullptr);
  EXPECT_STREQ(copied->items[0].source_name, "sink_0");
  EXPECT_EQ(copied->frame, gst_buffer_get_nv12_tensor_meta(tensor.get())->frame);
  EXPECT_EQ(gst_buffer_get_nv12_tensor_meta(deep.get()), nullptr);
  EXPECT_EQ(elements<float>(deep.get()), elements<float>(tensor.get()));
}

/// Of the tensor that the meta says is there; without it, as long as that is the answer.
bool is_exported(const GstNv12TensorMeta& meta) {
  const gpointer tensor = gst_nv12_tensor_meta_export_dlpack(&meta);
  if (tensor != nullptr) gst_nv12_slot_dlpack_free(tensor);
  return tensor != nullptr;
}

TEST_F(TensorTest, what_no_slot_can_hold_is_not_exported) {
  open("width=16 height=16");
  caps(harness_, 32, 32);
  gst_harness_push(harness_, plain(32, 32, 100).release());
  const BufferPtr tensor = pull();
  const GstNv12TensorMeta good = *gst_buffer_get_nv12_tensor_meta(tensor.get());
  EXPECT_TRUE(is_exported(good));
  GstNv12TensorMeta meta = good;
  for (guint& side : meta.shape) side = G_MAXUINT;  // the product wraps
  EXPECT_FALSE(is_exported(meta));
  meta = good;
  meta.shape[2] = 0;
  EXPECT_FALSE(is_exported(meta));
  meta = good;
  meta.data = 0;
  EXPECT_FALSE(is_exported(meta));
  const guint largest[] = {1, 4, 8192, 8192};  // a GiB of floats
  std::copy_n(largest, 4, meta.shape);
  meta.data = good.data;
  EXPECT_TRUE(is_exported(meta));
  meta.shape[3] += 1;
  EXPECT_FALSE(is_exported(meta));
}

TEST_F(TensorTest, meta_that_nobody_filled_in_is_copied_and_not_exported) {
  const BufferPtr buffer(gst_buffer_new());
  gst_buffer_add_meta(buffer.get(), GST_NV12_TENSOR_META_INFO, nullptr);
  const BufferPtr copy(gst_buffer_copy(buffer.get()));
  const GstNv12TensorMeta* const meta = gst_buffer_get_nv12_tensor_meta(copy.get());
  ASSERT_NE(meta, nullptr);
  EXPECT_EQ(meta->frame, nullptr);
  EXPECT_FALSE(is_exported(*meta));
}

TEST_F(TensorTest, channels_rows_and_types_are_as_asked_for) {
  // Red, as BT.601 has it in limited range.
  const auto red = [] { return plain(16, 16, 81, 90, 240).release(); };
  open("width=4 height=4 layout=nhwc channel-order=bgr dtype=u8 scale=1");
  caps(harness_, 16, 16, ",colorimetry=bt601");
  gst_harness_push(harness_, red());
  const BufferPtr tensor = pull();
  const std::vector<guint8> values = elements<guint8>(tensor.get());
  ASSERT_EQ(values.size(), 48U);
  for (std::size_t i = 0; i < values.size(); i += 3) {
    EXPECT_LE(values[i], 1);
    EXPECT_LE(values[i + 1], 1);
    EXPECT_GE(values[i + 2], 254);
  }
  const CapsPtr caps(gst_pad_get_current_caps(harness_->sinkpad));
  const GstStructure* structure = gst_caps_get_structure(caps.get(), 0);
  EXPECT_STREQ(gst_structure_get_string(structure, "dimensions"), "3:4:4:1");
  EXPECT_STREQ(gst_structure_get_string(structure, "types"), "uint8");
}

TEST_F(TensorTest, channels_are_normalised_each_by_its_own_mean_and_deviation) {
  open("width=2 height=2 scale-mode=stretch mean=<0.1,0.2,0.3> std=<0.5,1.0,2.0>");
  caps(harness_, 16, 16, ",colorimetry=bt709");
  gst_harness_push(harness_, plain(16, 16, 235).release());
  const std::vector<float> values = elements<float>(pull().get());
  EXPECT_NEAR(values[0], 0.9 / 0.5, 1e-3);
  EXPECT_NEAR(values[4], 0.8, 1e-3);
  EXPECT_NEAR(values[8], 0.7 / 2, 1e-3);
}

TEST_F(TensorTest, pictures_of_several_cameras_become_one_batch) {
  open("width=8 height=8 scale-mode=stretch batch-size=2 batch-timeout=60000000000");
  GstHarness* const second = camera("sink_1");
  caps(harness_, 16, 16, ",colorimetry=bt709");
  caps(second, 32, 8, ",colorimetry=bt709");
  gst_harness_push(harness_, plain(16, 16, 16).release());
  // The order in which pictures are taken is that in which they came.
  while (counter(element_, "pictures") < 1) std::this_thread::yield();
  gst_harness_push(second, plain(32, 8, 235).release());
  const BufferPtr tensor = pull();
  const GstNv12TensorMeta* const meta = gst_buffer_get_nv12_tensor_meta(tensor.get());
  ASSERT_EQ(meta->n_items, 2U);
  EXPECT_STREQ(meta->items[0].source_name, "sink_0");
  EXPECT_STREQ(meta->items[1].source_name, "sink_1");
  const std::vector<float> values = elements<float>(tensor.get());
  ASSERT_EQ(values.size(), 2U * 3 * 64);
  EXPECT_NEAR(values.front(), 0, 1e-3);
  EXPECT_NEAR(values.back(), 1, 1e-3);
  EXPECT_EQ(counter(element_, "partial-batches"), 0U);
}

TEST_F(TensorTest, a_camera_that_hangs_holds_nobody_up) {
  open("width=8 height=8 batch-size=2 batch-timeout=60000000000");
  caps(camera("sink_1"), 16, 16);  // and never a picture
  caps(harness_, 16, 16);
  for (int i = 0; i < 4; ++i) gst_harness_push(harness_, plain(16, 16, 100).release());
  EXPECT_EQ(gst_buffer_get_nv12_tensor_meta(pull().get())->n_items, 2U);
  EXPECT_EQ(gst_buffer_get_nv12_tensor_meta(pull().get())->n_items, 2U);
}

TEST_F(TensorTest, a_batch_that_waits_too_long_is_pushed_with_what_it_has) {
  open("width=8 height=8 batch-size=4 batch-timeout=1000000");
  caps(harness_, 16, 16);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  const BufferPtr tensor = pull();
  const GstNv12TensorMeta* const meta = gst_buffer_get_nv12_tensor_meta(tensor.get());
  EXPECT_EQ(meta->n_items, 1U);
  EXPECT_EQ(meta->shape[0], 4U) << "the tensor is as large as ever";
  EXPECT_EQ(counter(element_, "partial-batches"), 1U);
}

TEST_F(TensorTest, the_end_of_all_cameras_pushes_what_there_is_and_ends_the_stream) {
  open("width=8 height=8 batch-size=4 batch-timeout=60000000000");
  GstHarness* const second = camera("sink_1");
  caps(harness_, 16, 16);
  caps(second, 16, 16);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  gst_harness_push_event(harness_, gst_event_new_eos());
  gst_harness_push(second, plain(16, 16, 100).release());
  gst_harness_push_event(second, gst_event_new_eos());
  EXPECT_EQ(gst_buffer_get_nv12_tensor_meta(pull().get())->n_items, 2U);
  GstEvent* event = nullptr;
  while ((event = gst_harness_pull_event(harness_)) != nullptr) {
    const bool is_end = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    gst_event_unref(event);
    if (is_end) return;
  }
  ADD_FAILURE() << "no EOS";
}

TEST_F(TensorTest, a_camera_can_be_removed_while_its_picture_waits) {
  open("width=8 height=8 timeout=60000000000");
  ASSERT_TRUE(Process::get().pool->set_cap(1));
  caps(harness_, 16, 16);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  BufferPtr held = pull();  // the only slot for a tensor

  GstPad* const pad = gst_element_request_pad_simple(element_, "sink_%u");
  ASSERT_NE(pad, nullptr);
  const CapsPtr caps(gst_caps_from_string(nv12_caps(16, 16).c_str()));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_send_event(pad, gst_event_new_stream_start("camera"));
  gst_pad_send_event(pad, gst_event_new_caps(caps.get()));
  gst_pad_send_event(pad, gst_event_new_segment(&segment));
  // The first is taken and waits for a slot, the second has its place, the third waits for that.
  std::atomic<int> pushed{0};
  std::thread camera([&] {
    while (gst_pad_chain(pad, plain(16, 16, 100).release()) == GST_FLOW_OK) ++pushed;
  });
  while (pushed < 2) std::this_thread::yield();
  gst_element_release_request_pad(element_, pad);
  camera.join();
  EXPECT_EQ(pushed, 2);
  gst_object_unref(pad);

  held.reset();
  EXPECT_NE(pull(), nullptr) << "of the picture that was taken";
  gst_harness_push(harness_, plain(16, 16, 100).release());
  EXPECT_NE(pull(), nullptr) << "the others go on";
}

TEST_F(TensorTest, a_tensor_stays_readable_when_the_element_is_gone) {
  open("width=16 height=16 scale-mode=stretch");
  caps(harness_, 16, 16, ",colorimetry=bt709");
  gst_harness_push(harness_, plain(16, 16, 235).release());
  BufferPtr tensor = pull();
  gst_harness_teardown(std::exchange(harness_, nullptr));
  for (const float value : elements<float>(tensor.get())) ASSERT_NEAR(value, 1, 1e-3);
  tensor.reset();
}

TEST_F(TensorTest, frames_are_given_back_as_soon_as_they_were_read) {
  open("width=8 height=8 batch-size=3 batch-timeout=60000000000");
  GstHarness* const copy = copy_harness("device=-1");
  gst_harness_set_src_caps_str(copy, nv12_caps(16, 16).c_str());
  caps(harness_, 16, 16);
  for (guint64 i = 1; i <= 2; ++i) {
    gst_harness_push(copy, plain(16, 16, 100).release());
    gst_harness_push(harness_, gst_harness_pull(copy));
    while (counter(element_, "pictures") < i) std::this_thread::yield();
  }
  // The batch is not full, and its frames are no longer held.
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(10);
  while (stat(copy->element, "in-flight") > 0 && steady_clock().now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(stat(copy->element, "in-flight"), 0U);
  gst_harness_teardown(copy);
}

TEST_F(TensorTest, promises_upstream_to_wait_and_to_fence) {
  open("width=8 height=8");
  caps(harness_, 16, 16);
  const CapsPtr caps(gst_caps_from_string(nv12_caps(16, 16).c_str()));
  const QueryPtr query(gst_query_new_allocation(caps.get(), FALSE));
  const ObjectPtr<GstPad> sink(gst_element_get_static_pad(element_, "sink_0"));
  ASSERT_TRUE(gst_pad_query(sink.get(), query.get()));
  EXPECT_TRUE(gst_nv12_slot_query_has_reader(query.get()));
}

TEST_F(TensorTest, tensors_that_nobody_gives_back_cost_pictures_and_are_counted) {
  open("width=8 height=8 timeout=0");
  caps(harness_, 16, 16);
  ASSERT_TRUE(Process::get().pool->set_cap(2));
  std::vector<BufferPtr> held;
  for (guint64 i = 1; i <= 4; ++i) {
    gst_harness_push(harness_, plain(16, 16, 100).release());
    while (counter(element_, "batches") + counter(element_, "dropped") < i) {
      std::this_thread::yield();
    }
  }
  while (BufferPtr tensor{gst_harness_try_pull(harness_)}) held.push_back(std::move(tensor));
  EXPECT_EQ(held.size(), 2U);
  EXPECT_EQ(counter(element_, "exhausted"), 2U);
  held.clear();
  gst_harness_push(harness_, plain(16, 16, 100).release());
  EXPECT_NE(pull(), nullptr) << "and goes on once there are slots again";
}

TEST_F(TensorTest, a_buffer_that_is_no_picture_is_dropped_and_counted) {
  open("width=8 height=8 batch-size=2 batch-timeout=60000000000");
  caps(harness_, 16, 16);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  gst_harness_push(harness_, gst_buffer_new_allocate(nullptr, 10, nullptr));
  gst_harness_push(harness_, plain(16, 16, 100).release());
  EXPECT_EQ(gst_buffer_get_nv12_tensor_meta(pull().get())->n_items, 2U);
  EXPECT_EQ(counter(element_, "bad-inputs"), 1U);
  EXPECT_EQ(counter(element_, "dropped"), 1U);
}

TEST_F(TensorTest, a_flush_of_the_only_camera_flushes_the_tensors) {
  open("width=8 height=8");
  caps(harness_, 16, 16);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  EXPECT_NE(pull(), nullptr);
  gst_harness_push_event(harness_, gst_event_new_flush_start());
  gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_, gst_event_new_segment(&segment));
  ASSERT_EQ(gst_harness_push(harness_, plain(16, 16, 100).release()), GST_FLOW_OK);
  EXPECT_NE(pull(), nullptr);
}

TEST_F(TensorTest, stopping_wakes_a_camera_that_waits) {
  open("width=8 height=8 batch-size=2 batch-timeout=60000000000");
  caps(harness_, 16, 16);
  std::thread camera([this] {
    while (gst_harness_push(harness_, plain(16, 16, 100).release()) == GST_FLOW_OK) {
    }
  });
  while (counter(element_, "batches") < 2) std::this_thread::yield();
  gst_element_set_state(element_, GST_STATE_NULL);
  camera.join();
}

TEST_F(TensorTest, what_a_tensor_looks_like_does_not_change_while_frames_flow) {
  open("width=8 height=8");
  caps(harness_, 16, 16);
  gst_debug_set_threshold_for_name("nv12slottensor", GST_LEVEL_NONE);  // the refusal is logged
  g_object_set(element_, "width", 16, "batch-size", 2, nullptr);
  gst_debug_set_threshold_for_name("nv12slottensor", GST_LEVEL_ERROR);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  EXPECT_EQ(gst_buffer_get_size(pull().get()), 3U * 8 * 8 * sizeof(float));
  guint width = 0;
  g_object_get(element_, "width", &width, nullptr);
  EXPECT_EQ(width, 8U);
}

TEST_F(TensorTest, times_are_those_of_the_newest_picture) {
  open("width=8 height=8 batch-size=2 batch-timeout=60000000000");
  caps(harness_, 16, 16);
  for (const GstClockTime time : {GST_SECOND, 2 * GST_SECOND}) {
    BufferPtr picture = plain(16, 16, 100);
    GST_BUFFER_PTS(picture.get()) = time;
    gst_harness_push(harness_, picture.release());
  }
  EXPECT_EQ(GST_BUFFER_PTS(pull().get()), 2 * GST_SECOND);
}

TEST_F(TensorTest, without_a_device_the_cpu_reads_slots_of_the_host_in_place) {
  open("width=8 height=8 device=-1");
  GstHarness* const copy = copy_harness("device=-1");
  gst_harness_set_src_caps_str(copy, nv12_caps(16, 16).c_str());
  caps(harness_, 16, 16);
  gst_harness_push(copy, plain(16, 16, 100).release());
  gst_harness_push(harness_, gst_harness_pull(copy));
  EXPECT_NE(pull(), nullptr);
  EXPECT_EQ(text(element_, "path"), "zero-copy");
  gst_harness_teardown(copy);
}

// ---- Settings that cannot be ------------------------------------------------------------------

struct BadSetting {
  const char* properties;
  const char* advice;
};

class TensorErrors : public testing::TestWithParam<BadSetting> {};

TEST_P(TensorErrors, settings_that_cannot_be_are_errors_that_say_so) {
  reset_pool();
  const RunResult result =
      play(std::string("videotestsrc num-buffers=2 ! video/x-raw,format=NV12,width=64,height=32 ! "
                       "nv12slottensor ") +
           GetParam().properties + " ! fakesink");
  EXPECT_FALSE(result.eos);
  EXPECT_NE(result.debug.find(GetParam().advice), std::string::npos) << result.debug;
}
INSTANTIATE_TEST_SUITE_P(
    Of, TensorErrors,
    testing::Values(BadSetting{"width=0", "0"}, BadSetting{"height=20000", "16384"},
                    BadSetting{"std=<0.0,1.0,1.0>", "std"},
                    BadSetting{"mean=<1.0,2.0>", "2 values"},
                    BadSetting{"mean=\"<<0.1,0.2,0.3>>\"", "no number"},
                    BadSetting{"mean=<0.1,grey,0.3>", "no number"},
                    BadSetting{"std=<1e300>", "no number"}, BadSetting{"border=300", "255"},
                    BadSetting{"batch-size=0", "batch of 0"},
                    BadSetting{"width=16384 height=16384 batch-size=64", "larger than a slot"},
                    BadSetting{"device=99", "-1"}));

TEST(TensorLaunch, channels_are_whatever_can_be_read_as_numbers) {
  const ObjectPtr<GstElement> tensor(static_cast<GstElement*>(
      gst_object_ref_sink(gst_parse_launch("nv12slottensor mean=<1,0.5,1/4>", nullptr))));
  GValue mean = G_VALUE_INIT;
  g_object_get_property(G_OBJECT(tensor.get()), "mean", &mean);
  ASSERT_EQ(gst_value_array_get_size(&mean), 3U);
  for (guint i = 0; i < 3; ++i) {
    EXPECT_EQ(g_value_get_double(gst_value_array_get_value(&mean, i)),
              (std::array{1.0, 0.5, 0.25})[i]);
  }
  g_value_unset(&mean);
}

TEST(TensorLaunch, sizes_that_no_slot_has_are_refused_before_anything_is_computed_of_them) {
  reset_pool();
  for (const char* const size : {"width=0,height=32", "width=2147483647,height=2147483647",
                                 "width=2,height=2147483646", "width=16386,height=2"}) {
    const ObjectPtr<GstElement> tensor(static_cast<GstElement*>(
        gst_object_ref_sink(gst_element_factory_make("nv12slottensor", nullptr))));
    const ObjectPtr<GstPad> sink(gst_element_request_pad_simple(tensor.get(), "sink_0"));
    gst_element_set_state(tensor.get(), GST_STATE_PLAYING);
    const CapsPtr caps(gst_caps_from_string(
        (std::string("video/x-raw,format=NV12,framerate=25/1,") + size).c_str()));
    gst_pad_send_event(sink.get(), gst_event_new_stream_start("test"));
    EXPECT_FALSE(gst_pad_send_event(sink.get(), gst_event_new_caps(caps.get()))) << size;
    gst_element_set_state(tensor.get(), GST_STATE_NULL);
  }
}

TEST_F(TensorTest, longest_batch_timeout_waits_long_and_is_no_short_latency) {
  open("width=8 height=8 batch-size=2 batch-timeout=18446744073709551615");
  gst_harness_set_upstream_latency(harness_, 40 * GST_MSECOND);
  caps(harness_, 16, 16);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  const QueryPtr query(gst_query_new_latency());
  ASSERT_TRUE(gst_pad_peer_query(harness_->sinkpad, query.get()));
  gboolean is_live = FALSE;
  GstClockTime min = 0;
  gst_query_parse_latency(query.get(), &is_live, &min, nullptr);
  ASSERT_TRUE(is_live);
  EXPECT_GT(min, 365 * 24 * 3600 * GST_SECOND);
  gst_harness_push(harness_, plain(16, 16, 100).release());
  EXPECT_NE(pull(), nullptr);
}

TEST_F(TensorTest, planes_outside_of_their_buffer_or_memory_are_not_read) {
  open("width=8 height=8");
  caps(harness_, 16, 16);
  struct Planes {
    gsize uv;
    gint stride;
  };
  constexpr Planes kBad[] = {{G_MAXSIZE, 16}, {G_MAXSIZE - 100, 16},
                             {256, G_MAXINT}, {256, G_MININT},
                             {256, 0},        {272, 16}};
  for (const Planes& planes : kBad) {
    BufferPtr input = plain(16, 16, 100);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {0, planes.uv};
    gint strides[GST_VIDEO_MAX_PLANES] = {16, planes.stride};
    gst_buffer_add_video_meta_full(input.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12,
                                   16, 16, 2, offsets, strides);
    EXPECT_EQ(gst_harness_push(harness_, input.release()), GST_FLOW_OK);
  }
  BufferPtr without_frame = plain(16, 16, 235);
  gst_buffer_add_meta(without_frame.get(), GST_NV12_SLOT_META_INFO, nullptr);
  EXPECT_EQ(gst_nv12_slot_frame_from_buffer(without_frame.get()), nullptr);
  EXPECT_EQ(gst_harness_push(harness_, without_frame.release()), GST_FLOW_OK);
  EXPECT_NE(pull(), nullptr) << "a meta without a frame says nothing of the picture";
  EXPECT_EQ(counter(element_, "bad-inputs"), std::size(kBad));
}

TEST(TensorLaunch, pictures_of_an_odd_size_are_refused) {
  reset_pool();
  const RunResult result = play(
      "videotestsrc num-buffers=2 ! video/x-raw,format=NV12,width=63,height=31 ! nv12slottensor ! "
      "fakesink");
  EXPECT_FALSE(result.eos);
  EXPECT_NE(result.error.find("63 x 31"), std::string::npos) << result.error;
}

TEST(TensorLaunch, tensors_of_a_device_can_be_asked_for_in_a_launch_line) {
  if (cuda_device_count() == 0) GTEST_SKIP() << "no CUDA device";
  reset_pool();
  const RunResult result = play(
      "videotestsrc num-buffers=2 ! nv12slottensor ! other/tensors(memory:CUDAMemory) ! fakesink");
  EXPECT_TRUE(result.eos) << result.error;
}

TEST(TensorLaunch, slots_become_tensors_until_the_end) {
  reset_pool();
  guint64 batches = 0;
  const RunResult result = play(
      "nv12slottensor name=tensor batch-size=2 ! fakesink "
      "videotestsrc num-buffers=10 ! video/x-raw,width=64,height=32 ! nv12slotcopy ! tensor. "
      "videotestsrc num-buffers=10 ! video/x-raw,width=32,height=64 ! nv12slotcopy ! tensor.",
      [&](GstBin* bin) {
        const ObjectPtr<GstElement> tensor(gst_bin_get_by_name(bin, "tensor"));
        batches = counter(tensor.get(), "batches");
        EXPECT_EQ(counter(tensor.get(), "pictures"), 20U);
        EXPECT_EQ(counter(tensor.get(), "dropped"), 0U);
      });
  EXPECT_TRUE(result.eos) << result.error;
  EXPECT_GE(batches, 10U);
}

}  // namespace
}  // namespace nv12slot::gst
