// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every element between two pads owes its neighbours, whichever element it is.

#include <filesystem>

#include "../decode/encode.h"
#include "gst_test.h"

namespace nv12slot::gst {
namespace {

constexpr int kWidth = 64, kHeight = 48;

struct Filter {
  const char* name;
  const char* launch;
  bool is_encoded;  ///< takes H.264, not pictures
  const char* sink = "sink";
};

class FilterTest : public testing::TestWithParam<Filter> {
 protected:
  void SetUp() override {
    if (!has_element(GetParam().name)) GTEST_SKIP() << "not in this build";
    if (GetParam().is_encoded) NEEDS_ENCODER("libx264");
    reset_pool();
    const ObjectPtr<GstElement> element(static_cast<GstElement*>(
        gst_object_ref_sink(gst_parse_launch(GetParam().launch, nullptr))));
    harness_ = gst_harness_new_with_element(element.get(), GetParam().sink, "src");
    gst_harness_play(harness_);
  }
  void TearDown() override {
    if (harness_ != nullptr) gst_harness_teardown(harness_);
    for (const Domain domain : {kHostDomain, Domain{0}}) {
      EXPECT_TRUE(comes_to_be_unused(domain)) << "a reference was leaked";
    }
  }

  [[nodiscard]] GstElement* element() const { return harness_->element; }
  [[nodiscard]] std::string caps(int width, int height) const {
    if (!GetParam().is_encoded) return nv12_caps(width, height);
    return "video/x-h264,stream-format=byte-stream,alignment=au,parsed=true,framerate=25/1,width=" +
           std::to_string(width) + ",height=" + std::to_string(height);
  }
  /// Whatever comes before the first buffer of a stream.
  void begin(int width = kWidth, int height = kHeight) {
    EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_stream_start("stream")));
    const CapsPtr of(gst_caps_from_string(caps(width, height).c_str()));
    EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_caps(of.get())));
    segment();
  }
  void segment() {
    GstSegment time;
    gst_segment_init(&time, GST_FORMAT_TIME);
    EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_segment(&time)));
  }
  /// A picture, encoded where that is what is taken.
  [[nodiscard]] BufferPtr picture(int width = kWidth, int height = kHeight) {
    BufferPtr buffer(make_buffer(width, height, 1));
    if (GetParam().is_encoded) {
      const std::vector<decode::Unit> units =
          decode::encode({.width = width, .height = height, .pictures = 1});
      buffer.reset(gst_buffer_new_memdup(units.at(0).data.data(), units[0].data.size()));
    }
    GST_BUFFER_PTS(buffer.get()) = pts_;
    GST_BUFFER_DTS(buffer.get()) = pts_;
    pts_ += 40 * GST_MSECOND;
    return buffer;
  }
  GstFlowReturn push(int width = kWidth, int height = kHeight) {
    return gst_harness_push(harness_, picture(width, height).release());
  }
  /// Whether a buffer comes out of what was pushed; a decoder is told that the stream ends.
  [[nodiscard]] BufferPtr pull() { return BufferPtr(gst_harness_pull(harness_)); }

  GstHarness* harness_ = nullptr;
  GstClockTime pts_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    Each, FilterTest,
    testing::Values(Filter{"nv12slotcopy", "nv12slotcopy", false},
                    Filter{"nv12slotdec", "nv12slotdec low-latency=true max-threads=1", true},
                    Filter{"nv12slottensor", "nv12slottensor width=16 height=16", false, "sink_0"}),
    [](const auto& of) { return std::string(of.param.name); });

TEST_P(FilterTest, caps_are_those_of_its_template_and_no_others) {
  const CapsPtr taken(gst_pad_peer_query_caps(harness_->srcpad, nullptr));
  EXPECT_FALSE(gst_caps_is_any(taken.get()));
  const CapsPtr good(gst_caps_from_string(caps(kWidth, kHeight).c_str()));
  EXPECT_TRUE(gst_caps_can_intersect(taken.get(), good.get()));
  EXPECT_TRUE(gst_pad_peer_query_accept_caps(harness_->srcpad, good.get()));
  for (const char* const text : {"audio/x-raw",
                                 "video/x-raw,format=I420,width=64,height=48,"
                                 "framerate=25/1",
                                 "text/x-raw"}) {
    const CapsPtr bad(gst_caps_from_string(text));
    EXPECT_FALSE(gst_pad_peer_query_accept_caps(harness_->srcpad, bad.get())) << text;
  }
}

TEST_P(FilterTest, pools_that_it_offers_upstream_give_buffers) {
  begin();
  const CapsPtr of(gst_caps_from_string(caps(kWidth, kHeight).c_str()));
  GstQuery* const query = gst_query_new_allocation(of.get(), TRUE);
  gst_pad_peer_query(harness_->srcpad, query);
  for (guint i = 0; i < gst_query_get_n_allocation_pools(query); ++i) {
    GstBufferPool* offered = nullptr;
    guint size = 0, least = 0, most = 0;
    gst_query_parse_nth_allocation_pool(query, i, &offered, &size, &least, &most);
    const ObjectPtr<GstBufferPool> pool(offered);
    if (pool == nullptr) continue;
    GstStructure* const config = gst_buffer_pool_get_config(pool.get());
    gst_buffer_pool_config_set_params(config, of.get(), size, least, most);
    ASSERT_TRUE(gst_buffer_pool_set_config(pool.get(), config));
    ASSERT_TRUE(gst_buffer_pool_set_active(pool.get(), TRUE));
    GstBuffer* buffer = nullptr;
    EXPECT_EQ(gst_buffer_pool_acquire_buffer(pool.get(), &buffer, nullptr), GST_FLOW_OK);
    EXPECT_GE(gst_buffer_get_size(buffer), size);
    gst_buffer_unref(buffer);
    gst_buffer_pool_set_active(pool.get(), FALSE);
  }
  gst_query_unref(query);
}

TEST_P(FilterTest, nothing_passes_while_it_flushes_and_everything_after) {
  begin();
  EXPECT_EQ(push(), GST_FLOW_OK);
  EXPECT_NE(pull(), nullptr);
  EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_flush_start()));
  EXPECT_EQ(push(), GST_FLOW_FLUSHING);
  EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE)));
  segment();
  EXPECT_EQ(push(), GST_FLOW_OK);
  EXPECT_NE(pull(), nullptr);
}

TEST_P(FilterTest, the_end_comes_once_and_nothing_after_it) {
  begin();
  EXPECT_EQ(push(), GST_FLOW_OK);
  EXPECT_TRUE(gst_harness_push_event(harness_, gst_event_new_eos()));
  EXPECT_EQ(push(), GST_FLOW_EOS);
  EXPECT_NE(pull(), nullptr) << "what came before the end is pushed first";
  unsigned ends = 0;
  for (int i = 0; i < 200 && ends == 0; ++i) {
    while (GstEvent* const event = gst_harness_try_pull_event(harness_)) {
      if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) ++ends;
      gst_event_unref(event);
    }
    if (ends == 0) g_usleep(10'000);
  }
  EXPECT_EQ(ends, 1U);
}

TEST_P(FilterTest, other_caps_are_followed_there_and_back) {
  for (const int factor : {1, 2, 1}) {
    begin(kWidth * factor, kHeight * factor);
    EXPECT_EQ(push(kWidth * factor, kHeight * factor), GST_FLOW_OK);
    EXPECT_NE(pull(), nullptr);
    const CapsPtr now(gst_pad_get_current_caps(harness_->sinkpad));
    if (gst_structure_has_name(gst_caps_get_structure(now.get(), 0), "video/x-raw")) {
      int width = 0;
      gst_structure_get_int(gst_caps_get_structure(now.get(), 0), "width", &width);
      EXPECT_EQ(width, kWidth * factor);
    }
  }
}

TEST_P(FilterTest, downstream_may_ask_for_new_caps_at_any_time) {
  begin();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(push(), GST_FLOW_OK);
    EXPECT_NE(pull(), nullptr);
    EXPECT_TRUE(gst_pad_push_event(harness_->sinkpad, gst_event_new_reconfigure()));
  }
}

TEST_P(FilterTest, a_seek_goes_to_where_it_can_be_done) {
  begin();
  gst_pad_push_event(harness_->sinkpad,
                     gst_event_new_seek(1.0, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
                                        GST_SEEK_TYPE_SET, GST_SECOND, GST_SEEK_TYPE_NONE, 0));
  bool seen = false;
  while (GstEvent* const event = gst_harness_try_pull_upstream_event(harness_)) {
    seen = seen || GST_EVENT_TYPE(event) == GST_EVENT_SEEK;
    gst_event_unref(event);
  }
  EXPECT_TRUE(seen);
}

TEST_P(FilterTest, latency_is_answered_where_upstream_answers) {
  gst_harness_set_upstream_latency(harness_, 5 * GST_MSECOND);
  begin();
  EXPECT_EQ(push(), GST_FLOW_OK);
  EXPECT_NE(pull(), nullptr);
  EXPECT_GE(gst_harness_query_latency(harness_), 5 * GST_MSECOND);
}

/// Threads of this process.
[[nodiscard]] std::ptrdiff_t threads() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return std::distance(begin(all), end(all));
}

TEST_P(FilterTest, a_thousand_starts_and_stops_leave_nothing_behind) {
  std::ptrdiff_t after_the_first_few = 0;
  for (int i = 0; i < 1000; ++i) {
    begin();
    ASSERT_EQ(push(), GST_FLOW_OK) << i;
    ASSERT_NE(pull(), nullptr) << i;
    while (GstEvent* const event = gst_harness_try_pull_event(harness_)) gst_event_unref(event);
    ASSERT_EQ(gst_element_set_state(element(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS) << i;
    ASSERT_EQ(gst_element_set_state(element(), GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS) << i;
    if (i == 10) after_the_first_few = threads();
  }
  // How many GLib keeps for its tasks is its own business.
  EXPECT_LT(threads(), after_the_first_few + 20);
}

}  // namespace
}  // namespace nv12slot::gst
