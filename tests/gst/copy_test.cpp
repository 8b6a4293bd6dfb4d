// SPDX-License-Identifier: LGPL-2.1-or-later
#include <thread>

#include "gst_test.h"
#include "nv12slot/log.h"

namespace nv12slot::gst {
namespace {

constexpr int kWidth = 66;  // less than its stride
constexpr int kHeight = 34;

/// nv12slotcopy on the host.
class CopyTest : public testing::Test {
 protected:
  void SetUp() override {
    reset_pool();
    harness_ = copy_harness("device=-1 source-name=gate");
  }
  void TearDown() override {
    gst_harness_teardown(harness_);
    EXPECT_EQ(slots_in_use(kHostDomain), 0U) << "a reference was leaked";
  }

  [[nodiscard]] GstElement* element() const { return harness_->element; }
  void set_caps(int width = kWidth, int height = kHeight) {
    gst_harness_set_src_caps_str(harness_, nv12_caps(width, height).c_str());
  }
  GstFlowReturn push(unsigned seed = 1) {
    return gst_harness_push(harness_, make_buffer(kWidth, kHeight, seed).release());
  }
  BufferPtr pull() { return BufferPtr(gst_harness_try_pull(harness_)); }

  GstHarness* harness_ = nullptr;
};

TEST_F(CopyTest, copies_each_frame_into_a_slot_of_its_own) {
  set_caps();
  std::vector<BufferPtr> frames;
  for (unsigned i = 0; i < 5; ++i) {
    ASSERT_EQ(push(i), GST_FLOW_OK);
    frames.push_back(pull());
  }
  for (unsigned i = 0; i < 5; ++i) {
    EXPECT_EQ(read_picture(frames[i].get(), kWidth, kHeight), picture(kWidth, kHeight, i));
    EXPECT_NE(gst_buffer_get_nv12_slot_meta(frames[i].get()), nullptr);
  }
  EXPECT_EQ(stat(element(), "copied"), 5U);
  EXPECT_EQ(stat(element(), "in-flight"), 5U);
  EXPECT_EQ(path_of(element()), "copy");
}

TEST_F(CopyTest, consumer_that_never_releases_shows_in_the_age_of_the_oldest_frame) {
  set_caps();
  EXPECT_EQ(stat(element(), "oldest-frame-age"), 0U);
  ASSERT_EQ(push(0), GST_FLOW_OK);
  BufferPtr kept = pull();
  g_usleep(20000);
  ASSERT_EQ(push(1), GST_FLOW_OK);
  pull();
  EXPECT_GE(stat(element(), "oldest-frame-age"), 20 * GST_MSECOND);
  kept.reset();
  EXPECT_EQ(stat(element(), "oldest-frame-age"), 0U);
}

TEST_F(CopyTest, keeps_times_flags_and_metas_but_not_those_of_the_memory) {
  set_caps();
  BufferPtr input = make_buffer(kWidth, kHeight, 1);
  GST_BUFFER_PTS(input.get()) = 7;
  GST_BUFFER_DURATION(input.get()) = 9;
  GST_BUFFER_FLAG_SET(input.get(), GST_BUFFER_FLAG_MARKER);
  const CapsPtr reference(gst_caps_new_empty_simple("timestamp/x-test"));
  gst_buffer_add_reference_timestamp_meta(input.get(), reference.get(), 5, 6);
  const BufferPtr parent(gst_buffer_new());
  gst_buffer_add_parent_buffer_meta(input.get(), parent.get());
  gst_buffer_add_video_meta(input.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, kWidth,
                            kHeight);
  ASSERT_EQ(gst_harness_push(harness_, input.release()), GST_FLOW_OK);
  const BufferPtr output = pull();
  EXPECT_EQ(GST_BUFFER_PTS(output.get()), 7U);
  EXPECT_EQ(GST_BUFFER_DURATION(output.get()), 9U);
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(output.get(), GST_BUFFER_FLAG_MARKER));
  EXPECT_NE(gst_buffer_get_reference_timestamp_meta(output.get(), nullptr), nullptr);
  EXPECT_EQ(gst_buffer_get_parent_buffer_meta(output.get()), nullptr);
  EXPECT_EQ(gst_buffer_get_n_meta(output.get(), GST_VIDEO_META_API_TYPE), 1U);
  EXPECT_EQ(read_picture(output.get(), kWidth, kHeight), picture(kWidth, kHeight, 1));
}

TEST_F(CopyTest, takes_planes_from_where_the_video_meta_says_they_are) {
  set_caps();
  const std::vector<std::uint8_t> expected = picture(kWidth, kHeight, 3);
  gsize offset[GST_VIDEO_MAX_PLANES] = {100, 100 + 128 * kHeight + 50};
  gint stride[GST_VIDEO_MAX_PLANES] = {128, 96};
  std::vector<std::uint8_t> bytes(offset[1] + 96 * kHeight / 2);
  for (int row = 0; row < kHeight / 2 * 3; ++row) {
    const int plane = row < kHeight ? 0 : 1;
    const auto at = offset[plane] + static_cast<gsize>(stride[plane] * (row - plane * kHeight));
    std::copy_n(expected.begin() + row * kWidth, kWidth, bytes.begin() + static_cast<long>(at));
  }
  GstBuffer* input = gst_buffer_new_memdup(bytes.data(), bytes.size());
  gst_buffer_add_video_meta_full(input, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, kWidth,
                                 kHeight, 2, offset, stride);
  ASSERT_EQ(gst_harness_push(harness_, input), GST_FLOW_OK);
  EXPECT_EQ(read_picture(pull().get(), kWidth, kHeight), expected);
}

TEST_F(CopyTest, slot_of_upstream_becomes_the_frame_without_a_copy) {
  set_caps();
  const auto pool = make_pool(kHostDomain, kWidth, kHeight);
  GstBuffer* input = nullptr;
  ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool.get(), &input, nullptr), GST_FLOW_OK);
  const GstMemory* memory = gst_buffer_peek_memory(input, 0);
  ASSERT_EQ(gst_harness_push(harness_, input), GST_FLOW_OK);
  const BufferPtr output = pull();
  EXPECT_EQ(gst_buffer_peek_memory(output.get(), 0), memory);
  EXPECT_NE(gst_buffer_get_nv12_slot_meta(output.get()), nullptr);
  EXPECT_EQ(path_of(element()), "direct");
  EXPECT_EQ(stat(element(), "direct"), 1U);
}

TEST_F(CopyTest, slot_frame_of_another_element_passes_through) {
  set_caps();
  GstHarness* second = copy_harness("device=-1");
  gst_harness_set_src_caps_str(second, nv12_caps(kWidth, kHeight).c_str());
  push(1);
  BufferPtr frame = pull();
  const guint64 id = gst_nv12_slot_frame_get_id(gst_buffer_get_nv12_slot_meta(frame.get())->frame);
  ASSERT_EQ(gst_harness_push(second, frame.release()), GST_FLOW_OK);
  const BufferPtr output(gst_harness_pull(second));
  EXPECT_EQ(gst_nv12_slot_frame_get_id(gst_buffer_get_nv12_slot_meta(output.get())->frame), id);
  EXPECT_EQ(path_of(second->element), "pass-through");
  gst_harness_teardown(second);
}

TEST_F(CopyTest, part_of_a_slot_is_copied_and_not_taken_for_the_frame) {
  set_caps();
  push(1);
  const BufferPtr frame = pull();
  BufferPtr shortened(gst_buffer_copy(frame.get()));
  gst_buffer_resize(shortened.get(), 0, static_cast<gssize>(gst_buffer_get_size(frame.get())) - 1);
  ASSERT_EQ(gst_harness_push(harness_, shortened.release()), GST_FLOW_OK);
  const BufferPtr output = pull();
  EXPECT_EQ(path_of(element()), "copy");
  EXPECT_EQ(read_picture(output.get(), kWidth, kHeight), picture(kWidth, kHeight, 1));
}

TEST_F(CopyTest, change_of_size_within_a_stream_is_followed) {
  set_caps(320, 240);
  ASSERT_EQ(gst_harness_push(harness_, make_buffer(320, 240, 1).release()), GST_FLOW_OK);
  EXPECT_EQ(read_picture(pull().get(), 320, 240), picture(320, 240, 1));
  set_caps();
  ASSERT_EQ(push(2), GST_FLOW_OK);
  EXPECT_EQ(read_picture(pull().get(), kWidth, kHeight), picture(kWidth, kHeight, 2));
}

// ---- Exhaustion -------------------------------------------------------------------------------

TEST_F(CopyTest, exhausted_drop_drops_counts_and_goes_on) {
  g_object_set(element(), "quota", 2, nullptr);
  set_caps();
  push(1);
  push(2);
  ASSERT_EQ(push(3), GST_FLOW_OK);
  EXPECT_EQ(gst_harness_buffers_in_queue(harness_), 2U);
  EXPECT_EQ(stat(element(), "dropped"), 1U);
  EXPECT_EQ(stat(element(), "exhausted"), 1U);
  pull();
  ASSERT_EQ(push(4), GST_FLOW_OK);
  pull();
  const BufferPtr after = pull();
  EXPECT_EQ(read_picture(after.get(), kWidth, kHeight), picture(kWidth, kHeight, 4));
  EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(after.get(), GST_BUFFER_FLAG_DISCONT));
}

TEST_F(CopyTest, cap_that_is_reached_is_exhaustion_and_the_pool_is_usable_afterwards) {
  g_object_set(element(), "pool-cap", 1, nullptr);
  set_caps();
  std::vector<BufferPtr> held;
  // What earlier tests left free may be used; then it is over.
  for (int i = 0; i < 100 && stat(element(), "exhausted") == 0; ++i) {
    push(1);
    if (BufferPtr frame = pull()) held.push_back(std::move(frame));
  }
  EXPECT_EQ(stat(element(), "exhausted"), 1U);
  held.clear();
  push(2);
  EXPECT_EQ(read_picture(pull().get(), kWidth, kHeight), picture(kWidth, kHeight, 2));
}

/// Pushes on another thread; waits until the pool has counted it as blocked.
class Pusher {
 public:
  explicit Pusher(GstHarness* harness) {
    const auto blocked = Process::get().pool->stats(kHostDomain).blocked;
    thread_ = std::thread([this, harness] {
      result_ = gst_harness_push(harness, make_buffer(kWidth, kHeight, 9).release());
    });
    while (Process::get().pool->stats(kHostDomain).blocked == blocked) std::this_thread::yield();
  }
  GstFlowReturn join() {
    thread_.join();
    return result_;
  }

 private:
  std::thread thread_;
  GstFlowReturn result_ = GST_FLOW_OK;
};

class BlockingCopyTest : public CopyTest {
 protected:
  void SetUp() override {
    CopyTest::SetUp();
    gst_util_set_object_arg(G_OBJECT(element()), "on-exhausted", "block");
    g_object_set(element(), "quota", 1, "timeout", guint64{GST_CLOCK_TIME_NONE}, nullptr);
    set_caps();
    push(1);
    held_ = pull();
  }
  void TearDown() override {
    held_.reset();
    CopyTest::TearDown();
  }
  BufferPtr held_;
};

TEST_F(BlockingCopyTest, released_slot_goes_to_the_frame_that_waits) {
  Pusher pusher(harness_);
  held_.reset();
  EXPECT_EQ(pusher.join(), GST_FLOW_OK);
  EXPECT_EQ(read_picture(pull().get(), kWidth, kHeight), picture(kWidth, kHeight, 9));
}

TEST_F(BlockingCopyTest, flush_ends_the_wait) {
  Pusher pusher(harness_);
  gst_harness_push_event(harness_, gst_event_new_flush_start());
  EXPECT_EQ(pusher.join(), GST_FLOW_FLUSHING);
  gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE));
}

TEST_F(BlockingCopyTest, waits_again_after_a_flush) {
  gst_harness_push_event(harness_, gst_event_new_flush_start());
  gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_, gst_event_new_segment(&segment));
  Pusher pusher(harness_);
  held_.reset();
  EXPECT_EQ(pusher.join(), GST_FLOW_OK);
}

TEST_F(BlockingCopyTest, stop_ends_the_wait) {
  Pusher pusher(harness_);
  gst_element_set_state(element(), GST_STATE_NULL);
  EXPECT_EQ(pusher.join(), GST_FLOW_FLUSHING);
}

TEST_F(BlockingCopyTest, frame_is_dropped_after_the_timeout) {
  g_object_set(element(), "timeout", guint64{GST_MSECOND}, nullptr);
  EXPECT_EQ(push(2), GST_FLOW_OK);
  EXPECT_EQ(stat(element(), "dropped"), 1U);
}

TEST_F(BlockingCopyTest, timeout_counts_as_exhaustion_and_not_as_a_failure) {
  g_object_set(element(), "timeout", guint64{GST_MSECOND}, nullptr);
  push(2);
  EXPECT_EQ(stat(element(), "exhausted"), 1U);
  EXPECT_EQ(stat(element(), "failed-copies"), 0U);
}

TEST_F(CopyTest, slots_of_the_last_run_count_towards_the_quota) {
  g_object_set(element(), "quota", 2, nullptr);
  set_caps();
  push(1);
  const BufferPtr held = pull();
  gst_element_set_state(element(), GST_STATE_READY);
  gst_element_set_state(element(), GST_STATE_PLAYING);
  set_caps(kWidth, kHeight + 2);  // so that the harness sends caps anew
  set_caps();
  push(2);
  const BufferPtr second = pull();
  push(3);
  EXPECT_EQ(pull(), nullptr) << "the camera came back and has a whole quota again";
  EXPECT_EQ(stat(element(), "exhausted"), 1U);
}

// ---- Bad input --------------------------------------------------------------------------------

TEST_F(CopyTest, other_formats_are_refused_at_negotiation) {
  const CapsPtr i420(
      gst_caps_from_string("video/x-raw,format=I420,width=64,height=32,framerate=25/1"));
  const ObjectPtr<GstPad> sink(gst_element_get_static_pad(element(), "sink"));
  EXPECT_FALSE(gst_pad_query_accept_caps(sink.get(), i420.get()));
  const CapsPtr possible(gst_pad_query_caps(sink.get(), nullptr));
  EXPECT_FALSE(gst_caps_can_intersect(possible.get(), i420.get()));
}

TEST_F(CopyTest, buffer_that_is_too_small_is_dropped_and_counted) {
  set_caps();
  EXPECT_EQ(gst_harness_push(harness_, gst_buffer_new_allocate(nullptr, 100, nullptr)),
            GST_FLOW_OK);
  EXPECT_EQ(gst_harness_push(harness_, gst_buffer_new()), GST_FLOW_OK);
  EXPECT_EQ(stat(element(), "bad-inputs"), 2U);
  EXPECT_EQ(push(1), GST_FLOW_OK);
  EXPECT_EQ(read_picture(pull().get(), kWidth, kHeight), picture(kWidth, kHeight, 1));
}

TEST_F(CopyTest, buffer_without_its_uv_plane_is_dropped_and_counted) {
  set_caps();
  BufferPtr input = make_buffer(kWidth, kHeight, 1);
  gsize offset[GST_VIDEO_MAX_PLANES] = {0};
  gint stride[GST_VIDEO_MAX_PLANES] = {68};
  gst_buffer_add_video_meta_full(input.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8,
                                 kWidth, kHeight, 1, offset, stride);
  EXPECT_EQ(gst_harness_push(harness_, input.release()), GST_FLOW_OK);
  EXPECT_EQ(stat(element(), "bad-inputs"), 1U);
}

TEST_F(CopyTest, video_meta_that_points_outside_of_the_buffer_is_not_followed) {
  set_caps();
  for (const auto& [uv_offset, stride] :
       {std::pair{gsize{1} << 40, 68}, std::pair{gsize{68} * kHeight, 1 << 30},
        std::pair{gsize{68} * kHeight, -68}, std::pair{gsize{68} * kHeight, 4},
        std::pair{G_MAXSIZE, 68}, std::pair{G_MAXSIZE - 68, 68},
        std::pair{gsize{68} * kHeight, G_MAXINT}, std::pair{gsize{68} * kHeight, G_MININT},
        std::pair{gsize{68} * kHeight, 0}}) {
    BufferPtr input = make_buffer(kWidth, kHeight, 1);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {0, uv_offset};
    gint strides[GST_VIDEO_MAX_PLANES] = {68, stride};
    gst_buffer_add_video_meta_full(input.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12,
                                   kWidth, kHeight, 2, offsets, strides);
    EXPECT_EQ(gst_harness_push(harness_, input.release()), GST_FLOW_OK);
  }
  EXPECT_EQ(stat(element(), "bad-inputs"), 9U);
}

TEST_F(CopyTest, plane_that_goes_on_in_another_memory_is_not_read_past_the_end_of_its_own) {
  set_caps();
  const BufferPtr whole = make_buffer(kWidth, kHeight, 1);
  const gsize size = gst_buffer_get_size(whole.get());
  const gsize split = 1000;  // in the middle of Y
  GstBuffer* const input = gst_buffer_new();
  for (const gsize bytes : {split, size - split}) {
    gst_buffer_append_memory(input, gst_allocator_alloc(nullptr, bytes, nullptr));
  }
  gst_buffer_add_video_meta(input, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, kWidth,
                            kHeight);
  EXPECT_EQ(gst_harness_push(harness_, input), GST_FLOW_OK);
  EXPECT_EQ(stat(element(), "bad-inputs"), 1U);
}

/// Plays one launch line whose error must say `what` to the user and `advice` in its detail.
void expect_error(const std::string& launch, GQuark domain, int code, const std::string& what,
                  const std::string& advice) {
  reset_pool();
  const RunResult result = play(launch);
  EXPECT_FALSE(result.eos) << launch;
  EXPECT_EQ(result.domain, domain) << launch << ": " << result.error;
  EXPECT_EQ(result.code, code) << launch;
  EXPECT_NE(result.error.find(what), std::string::npos) << result.error;
  EXPECT_NE(result.debug.find(advice), std::string::npos) << result.debug;
  reset_pool();
}

TEST(CopyErrors, odd_sizes_name_the_size_and_what_to_do) {
  for (const char* size : {"width=63,height=32", "width=64,height=31", "width=1,height=1"}) {
    expect_error(std::string("videotestsrc num-buffers=1 ! video/x-raw,format=NV12,") + size +
                     " ! nv12slotcopy device=-1 ! fakesink",
                 GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "do not fit into NV12 slots",
                 "scale or crop");
  }
}

TEST_F(CopyTest, sizes_that_no_slot_has_are_refused_before_anything_is_computed_of_them) {
  for (const char* const size : {"width=2147483647,height=2147483647", "width=16386,height=2",
                                 "width=2,height=2147483646", "width=-2,height=-2"}) {
    const CapsPtr caps(gst_caps_from_string(
        (std::string("video/x-raw,format=NV12,framerate=25/1,") + size).c_str()));
    const ObjectPtr<GstPad> sink(gst_element_get_static_pad(element(), "sink"));
    gst_pad_send_event(sink.get(), gst_event_new_stream_start("test"));
    EXPECT_FALSE(gst_pad_send_event(sink.get(), gst_event_new_caps(caps.get()))) << size;
    const QueryPtr allocation(gst_query_new_allocation(caps.get(), TRUE));
    EXPECT_FALSE(gst_pad_query(sink.get(), allocation.get())) << size;
  }
}

TEST_F(CopyTest, zero_size_is_an_element_error) {
  const ObjectPtr<GstBus> bus(gst_bus_new());
  gst_element_set_bus(element(), bus.get());
  const ObjectPtr<GstPad> sink(gst_element_get_static_pad(element(), "sink"));
  EXPECT_FALSE(gst_pad_send_event(
      sink.get(),
      gst_event_new_caps(
          CapsPtr(gst_caps_from_string("video/x-raw,format=NV12,width=0,height=32,framerate=25/1"))
              .get())));
  GstMessage* message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR);
  EXPECT_NE(message, nullptr);
  if (message != nullptr) gst_message_unref(message);
  gst_element_set_bus(element(), nullptr);
}

TEST(CopyErrors, absurd_property_values_name_what_is_allowed) {
  const std::string source = "videotestsrc num-buffers=1 ! nv12slotcopy ";
  expect_error(source + "pool-cap=0 ! fakesink", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
               "out of range: 1 to 4096", "pool-cap");
  expect_error(source + "pool-cap=4294967295 ! fakesink", GST_RESOURCE_ERROR,
               GST_RESOURCE_ERROR_SETTINGS, "out of range", "pool-cap");
  expect_error(source + "pool-cooldown=18446744073709551615 ! fakesink", GST_RESOURCE_ERROR,
               GST_RESOURCE_ERROR_SETTINGS, "refused", "pool-cooldown");
  for (const char* device : {"-2", "31", "2147483647"}) {
    expect_error(source + "device=" + device + " ! fakesink", GST_RESOURCE_ERROR,
                 GST_RESOURCE_ERROR_NOT_FOUND, std::string("CUDA device ") + device,
                 "set 'device'");
  }
}

TEST(CopyErrors, longest_timeout_and_largest_quota_are_legal) {
  reset_pool();
  EXPECT_TRUE(play("videotestsrc num-buffers=3 ! nv12slotcopy device=-1 on-exhausted=block "
                   "timeout=18446744073709551615 quota=4294967295 "
                   "slow-frame-threshold=18446744073709551615 ! fakesink")
                  .eos);
}

// ---- Settings ---------------------------------------------------------------------------------

TEST_F(CopyTest, device_cannot_be_changed_while_it_is_in_use) {
  g_object_set(element(), "device", 5, nullptr);
  int device = 0;
  g_object_get(element(), "device", &device, nullptr);
  EXPECT_EQ(device, -1);
}

TEST(CopySettings, new_element_changes_nothing_process_wide) {
  SlotPool& pool = *Process::get().pool;
  ASSERT_TRUE(pool.set_cap(17));
  ASSERT_TRUE(pool.set_cooldown(Duration(123)));
  const ObjectPtr<GstElement> element(static_cast<GstElement*>(
      gst_object_ref_sink(gst_element_factory_make("nv12slotcopy", nullptr))));
  guint cap = 0;
  guint64 cooldown = 0;
  g_object_get(element.get(), "pool-cap", &cap, "pool-cooldown", &cooldown, nullptr);
  EXPECT_EQ(cap, 17U);
  EXPECT_EQ(cooldown, 123U);
  g_object_set(element.get(), "pool-cap", 18, "pool-cooldown", guint64{5}, nullptr);
  EXPECT_EQ(pool.settings().cap, 18U);
  EXPECT_EQ(pool.settings().cooldown, Duration(5));
  reset_pool();
}

std::string g_slow_frame;

TEST_F(CopyTest, slow_frame_is_logged_with_where_the_time_went) {
  set_log_sink([](LogLevel, std::string_view message) {
    if (message.starts_with("SLOW FRAME")) g_slow_frame = message;
  });
  g_object_set(element(), "slow-frame-threshold", guint64{1}, nullptr);
  set_caps();
  push(1);
  set_log_sink(nullptr);
  EXPECT_NE(g_slow_frame.find("gate"), std::string::npos) << g_slow_frame;
  EXPECT_NE(g_slow_frame.find("copy"), std::string::npos) << g_slow_frame;
  EXPECT_EQ(stat(element(), "slow-frames"), 1U);
  pull();
}

TEST_F(CopyTest, slow_frame_threshold_of_zero_is_off) {
  g_object_set(element(), "slow-frame-threshold", guint64{0}, nullptr);
  set_caps();
  push(1);
  EXPECT_EQ(stat(element(), "slow-frames"), 0U);
  pull();
}

}  // namespace
}  // namespace nv12slot::gst
