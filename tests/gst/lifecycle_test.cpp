// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst_test.h"

namespace nv12slot::gst {
namespace {

// Before main(), as tracers are chosen in gst_init().
[[maybe_unused]] const gboolean g_traced = g_setenv("GST_TRACERS", "leaks", TRUE);

[[nodiscard]] ObjectPtr<GstElement> make(const char* factory) {
  GstElement* const element = gst_element_factory_make(factory, nullptr);
  // A camera that is not there: nobody listens on the port for discarding.
  if (element != nullptr && std::string(factory) == "nv12slotsrc") {
    g_object_set(element, "uri", "rtsp://127.0.0.1:9/camera", nullptr);
  }
  return ObjectPtr<GstElement>(
      element != nullptr ? static_cast<GstElement*>(gst_object_ref_sink(element)) : nullptr);
}

/// Of each of our elements, by its factory's name.
class ElementTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    const bool needs_ffmpeg = name == "nv12slotdec" || name == "nv12slotsrc";
    if (needs_ffmpeg && !has_element(GetParam())) GTEST_SKIP() << "built without FFmpeg";
  }
};
INSTANTIATE_TEST_SUITE_P(Each, ElementTest,
                         testing::Values("nv12slotcopy", "nv12slotdec", "nv12slotsrc",
                                         "nv12slottensor"),
                         [](const auto& of) { return std::string(of.param); });

/// Each pair of states an element may be taken through, as GStreamer's own test of all elements
/// does.
TEST_P(ElementTest, every_change_of_state_works) {
  const ObjectPtr<GstElement> element = make(GetParam());
  ASSERT_NE(element, nullptr);
  for (int round = 0; round < 2; ++round) {
    for (const GstState top : {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING}) {
      for (const GstState bottom : {GST_STATE_PAUSED, GST_STATE_READY, GST_STATE_NULL}) {
        EXPECT_NE(gst_element_set_state(element.get(), top), GST_STATE_CHANGE_FAILURE);
        EXPECT_NE(gst_element_set_state(element.get(), bottom), GST_STATE_CHANGE_FAILURE);
      }
    }
  }
  EXPECT_NE(gst_element_set_state(element.get(), GST_STATE_NULL), GST_STATE_CHANGE_FAILURE);
}

TEST_P(ElementTest, element_that_was_never_used_can_go) {
  EXPECT_NE(make(GetParam()), nullptr);
}

TEST(States, plays_again_after_a_stop) {
  reset_pool();
  GstElement* pipeline = gst_parse_launch(
      "videotestsrc num-buffers=3 ! video/x-raw,width=64,height=32 ! nv12slotcopy name=copy ! "
      "fakesink",
      nullptr);
  gst_object_ref_sink(pipeline);
  const ObjectPtr<GstElement> copy(gst_bin_get_by_name(GST_BIN(pipeline), "copy"));
  for (const GstState between : {GST_STATE_READY, GST_STATE_NULL, GST_STATE_READY}) {
    EXPECT_TRUE(play(pipeline).eos);
    EXPECT_EQ(stat(copy.get(), "frames"), 3U) << "counters are of one run";
    gst_element_set_state(pipeline, between);
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

TEST_P(ElementTest, documents_itself) {
  const ObjectPtr<GstElement> element = make(GetParam());
  ASSERT_NE(element, nullptr);
  const bool is_source = GST_OBJECT_FLAG_IS_SET(element.get(), GST_ELEMENT_FLAG_SOURCE);
  EXPECT_EQ(gst_element_factory_get_num_pad_templates(gst_element_get_factory(element.get())),
            is_source ? 1U : 2U);
  guint count = 0;
  GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element.get()), &count);
  for (guint i = 0; i < count; ++i) {
    if (specs[i]->owner_type != G_OBJECT_TYPE(element.get())) continue;
    EXPECT_GT(std::string(g_param_spec_get_blurb(specs[i])).size(), 20U) << specs[i]->name;
    const std::string name = specs[i]->name;
    const bool process_wide = name.starts_with("pool-") || name.starts_with("decoder-cache-");
    EXPECT_EQ(std::string(g_param_spec_get_blurb(specs[i])).starts_with("Process-wide: "),
              process_wide)
        << name;
  }
  g_free(specs);
}

/// Objects of GStreamer's that are alive now, by the leaks tracer.
guint live_objects() {
  // A streaming thread gives its GstTask up after the state change that stopped it has returned;
  // the tracer would take a reference to a task that is being finalized.
  gst_task_cleanup_all();
  guint count = 0;
  GList* tracers = gst_tracing_get_active_tracers();
  for (GList* item = tracers; item != nullptr; item = item->next) {
    GstStructure* info = nullptr;
    g_signal_emit_by_name(item->data, "get-live-objects", &info);
    const StructurePtr owned(info);
    count += gst_value_list_get_size(gst_structure_get_value(info, "live-objects-list"));
  }
  EXPECT_NE(tracers, nullptr) << "the leaks tracer is not there";
  g_list_free_full(tracers, gst_object_unref);
  return count;
}

TEST(Leaks, cameras_that_come_and_go_leave_no_object_behind) {
  reset_pool();
  const auto run = [] {
    EXPECT_TRUE(play("videotestsrc num-buffers=5 ! video/x-raw,width=64,height=32 ! nv12slotcopy ! "
                     "tee name=t t. ! queue ! fakesink async=false t. ! queue ! fakesink "
                     "async=false")
                    .eos);
    EXPECT_FALSE(play("videotestsrc ! nv12slotcopy device=31 ! fakesink").eos);
    EXPECT_FALSE(play("videotestsrc ! video/x-raw,width=63 ! nv12slotcopy ! fakesink").eos);
    if (has_element("nv12slotsrc")) {
      EXPECT_FALSE(play("nv12slotsrc uri=rtsp://127.0.0.1:9/camera max-attempts=2 backoff-max=1 "
                        "backoff-min=0 teardown-timeout=20000000000 ! fakesink")
                       .eos);
      EXPECT_FALSE(
          play("nv12slotsrc uri=file:///nothing teardown-timeout=20000000000 ! fakesink").eos);
    }
    const auto pool = make_pool(kHostDomain, 64, 32);
    GstBuffer* buffer = nullptr;
    EXPECT_EQ(gst_buffer_pool_acquire_buffer(pool.get(), &buffer, nullptr), GST_FLOW_OK);
    const BufferPtr owned(buffer);
  };
  run();  // makes what lives as long as the process
  const guint before = live_objects();
  for (int i = 0; i < 3; ++i) run();
  EXPECT_EQ(live_objects(), before);
}

}  // namespace
}  // namespace nv12slot::gst
