// SPDX-License-Identifier: LGPL-2.1-or-later
#include <thread>

#include "gst_test.h"
#include "nv12slot/log.h"
#include "slothold.h"

namespace nv12slot::gst {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 32;

/// Slot frames of the host, as nv12slotcopy pushes them.
class MetaTest : public testing::Test {
 protected:
  void SetUp() override {
    reset_pool();
    harness_ = copy_harness("device=-1 source-name=yard");
    gst_harness_set_src_caps_str(harness_, nv12_caps(kWidth, kHeight).c_str());
  }
  void TearDown() override {
    gst_harness_teardown(harness_);
    EXPECT_EQ(slots_in_use(kHostDomain), 0U) << "a reference was leaked";
  }

  BufferPtr make_frame() {
    BufferPtr input = make_buffer(kWidth, kHeight, 1);
    GST_BUFFER_PTS(input.get()) = 40 * GST_MSECOND;
    EXPECT_EQ(gst_harness_push(harness_, input.release()), GST_FLOW_OK);
    return BufferPtr(gst_harness_pull(harness_));
  }

  static const void* address_of(GstBuffer* buffer) {
    GstNv12SlotPlanes planes;
    gst_nv12_slot_frame_get_planes(gst_buffer_get_nv12_slot_meta(buffer)->frame, &planes);
    return reinterpret_cast<const void*>(planes.data[0]);
  }

  GstHarness* harness_ = nullptr;
};

TEST_F(MetaTest, says_where_the_picture_is_and_whose) {
  const BufferPtr frame = make_frame();
  const GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(frame.get());
  ASSERT_NE(meta, nullptr);
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(meta->frame, &planes);
  EXPECT_EQ(planes.width, guint{kWidth});
  EXPECT_EQ(planes.height, guint{kHeight});
  EXPECT_GE(planes.stride[0], gsize{kWidth});
  const std::vector<std::uint8_t> expected = picture(kWidth, kHeight, 1);
  const auto* y = reinterpret_cast<const std::uint8_t*>(planes.data[0]);
  const auto* uv = reinterpret_cast<const std::uint8_t*>(planes.data[1]);
  EXPECT_EQ(y[planes.stride[0] * 5 + 7], expected[kWidth * 5 + 7]);
  EXPECT_EQ(uv[planes.stride[1] * 5 + 7], expected[kWidth * (kHeight + 5) + 7]);
  EXPECT_EQ(gst_nv12_slot_frame_get_device(meta->frame), -1);
  EXPECT_STREQ(gst_nv12_slot_frame_get_source_name(meta->frame), "yard");
  EXPECT_EQ(gst_nv12_slot_frame_get_pts(meta->frame), 40 * GST_MSECOND);
  EXPECT_NE(gst_nv12_slot_frame_get_id(meta->frame), 0U);
  EXPECT_TRUE(gst_nv12_slot_frame_is_complete(meta->frame));
  EXPECT_TRUE(gst_nv12_slot_frame_wait(meta->frame, nullptr));
  EXPECT_TRUE(gst_nv12_slot_frame_fence(meta->frame, -1, nullptr));
}

TEST_F(MetaTest, shallow_copy_keeps_the_frame_when_the_original_is_gone) {
  BufferPtr frame = make_frame();
  const BufferPtr copy(gst_buffer_copy(frame.get()));
  const guint64 id = gst_nv12_slot_frame_get_id(gst_buffer_get_nv12_slot_meta(frame.get())->frame);
  frame.reset();
  const GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(copy.get());
  ASSERT_NE(meta, nullptr) << "a meta without transform function is lost in copies";
  EXPECT_EQ(gst_nv12_slot_frame_get_id(meta->frame), id);
  EXPECT_EQ(read_picture(copy.get(), kWidth, kHeight), picture(kWidth, kHeight, 1));
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
}

TEST_F(MetaTest, meta_of_a_copy_keeps_the_slot_without_any_memory) {
  BufferPtr frame = make_frame();
  const BufferPtr copy(gst_buffer_new());
  gst_buffer_copy_into(copy.get(), frame.get(), GST_BUFFER_COPY_META, 0, static_cast<gsize>(-1));
  frame.reset();
  ASSERT_NE(gst_buffer_get_nv12_slot_meta(copy.get()), nullptr);
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
}

TEST_F(MetaTest, deep_copy_does_not_hold_the_slot) {
  BufferPtr frame = make_frame();
  const BufferPtr copy(gst_buffer_copy_deep(frame.get()));
  frame.reset();
  EXPECT_EQ(gst_buffer_get_nv12_slot_meta(copy.get()), nullptr);
  EXPECT_EQ(slots_in_use(kHostDomain), 0U);
  EXPECT_EQ(read_picture(copy.get(), kWidth, kHeight), picture(kWidth, kHeight, 1));
}

TEST_F(MetaTest, part_of_a_buffer_is_no_frame_but_keeps_the_slot_by_its_memory) {
  BufferPtr frame = make_frame();
  BufferPtr part(gst_buffer_copy_region(frame.get(), GST_BUFFER_COPY_ALL, 0, kWidth));
  frame.reset();
  EXPECT_EQ(gst_buffer_get_nv12_slot_meta(part.get()), nullptr);
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
  part.reset();
  EXPECT_EQ(slots_in_use(kHostDomain), 0U);
}

TEST_F(MetaTest, other_transforms_are_refused) {
  const BufferPtr frame = make_frame();
  const BufferPtr scaled(gst_buffer_new());
  GstMeta* meta = &gst_buffer_get_nv12_slot_meta(frame.get())->meta;
  EXPECT_FALSE(meta->info->transform_func(scaled.get(), meta, frame.get(),
                                          g_quark_from_static_string("gst-video-scale"), nullptr));
  EXPECT_EQ(gst_buffer_get_nv12_slot_meta(scaled.get()), nullptr);
}

TEST_F(MetaTest, memory_alone_keeps_the_slot) {
  BufferPtr frame = make_frame();
  MemoryPtr memory(gst_buffer_get_memory(frame.get(), 0));
  frame.reset();
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
  memory.reset();
  EXPECT_EQ(slots_in_use(kHostDomain), 0U);
}

TEST_F(MetaTest, kept_frame_stays_readable_when_buffer_and_element_are_gone) {
  BufferPtr buffer = make_frame();
  GstNv12SlotFrame* frame =
      gst_nv12_slot_frame_ref(gst_buffer_get_nv12_slot_meta(buffer.get())->frame);
  buffer.reset();
  gst_harness_teardown(harness_);
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(frame, &planes);
  const auto* y = reinterpret_cast<const std::uint8_t*>(planes.data[0]);
  EXPECT_EQ(y[planes.stride[0] * 3 + 2], picture(kWidth, kHeight, 1)[kWidth * 3 + 2]);
  EXPECT_STREQ(gst_nv12_slot_frame_get_source_name(frame), "yard");
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
  gst_nv12_slot_frame_unref(frame);
  SetUp();  // for TearDown()
}

TEST_F(MetaTest, frame_held_by_its_id_stays_when_buffer_and_element_are_gone) {
  BufferPtr buffer = make_frame();
  const guint64 id = gst_nv12_slot_frame_get_id(gst_buffer_get_nv12_slot_meta(buffer.get())->frame);
  FrameRegistry& registry = *Process::get().registry;
  ASSERT_TRUE(registry.hold(id));
  buffer.reset();
  gst_harness_teardown(harness_);
  EXPECT_TRUE(registry.lookup(id));
  EXPECT_TRUE(registry.unhold(id));
  SetUp();  // for TearDown()
}

TEST_F(MetaTest, frame_is_found_by_its_id_from_any_thread_and_kept) {
  BufferPtr buffer = make_frame();
  const guint64 id = gst_nv12_slot_frame_get_id(gst_buffer_get_nv12_slot_meta(buffer.get())->frame);
  GstNv12SlotFrame* found = nullptr;
  std::thread([&] { found = gst_nv12_slot_frame_lookup(id); }).join();
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(gst_nv12_slot_frame_get_id(found), id);
  buffer.reset();
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
  gst_nv12_slot_frame_unref(found);
}

TEST_F(MetaTest, id_of_a_released_frame_finds_none_although_its_slot_is_used_again) {
  BufferPtr buffer = make_frame();
  const guint64 id = gst_nv12_slot_frame_get_id(gst_buffer_get_nv12_slot_meta(buffer.get())->frame);
  const void* const memory = address_of(buffer.get());
  buffer.reset();
  buffer = make_frame();
  ASSERT_EQ(address_of(buffer.get()), memory);
  EXPECT_EQ(gst_nv12_slot_frame_lookup(id), nullptr);
  EXPECT_EQ(gst_nv12_slot_frame_lookup(0), nullptr);
}

TEST_F(MetaTest, frame_of_a_buffer_is_a_reference_of_its_own) {
  BufferPtr buffer = make_frame();
  GstNv12SlotFrame* frame = gst_nv12_slot_frame_from_buffer(buffer.get());
  EXPECT_EQ(frame, gst_buffer_get_nv12_slot_meta(buffer.get())->frame);
  buffer.reset();
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
  gst_nv12_slot_frame_unref(frame);
}

TEST_F(MetaTest, buffer_that_is_no_slot_has_no_frame) {
  EXPECT_EQ(gst_nv12_slot_frame_from_buffer(make_buffer(kWidth, kHeight, 1).get()), nullptr);
}

std::string colorimetry_of(GstBuffer* buffer) {
  GstVideoColorimetry colorimetry;
  gst_nv12_slot_frame_get_colorimetry(gst_buffer_get_nv12_slot_meta(buffer)->frame, &colorimetry);
  gchar* const text = gst_video_colorimetry_to_string(&colorimetry);
  std::string result = text != nullptr ? text : "";
  g_free(text);
  return result;
}

TEST_F(MetaTest, colorimetry_is_that_of_the_caps) {
  for (const char* colorimetry :
       {GST_VIDEO_COLORIMETRY_BT601, GST_VIDEO_COLORIMETRY_BT709, GST_VIDEO_COLORIMETRY_SMPTE240M,
        GST_VIDEO_COLORIMETRY_BT2020, GST_VIDEO_COLORIMETRY_BT2100_PQ, "1:4:7:1", "1:4:0:0"}) {
    gst_harness_set_src_caps_str(
        harness_, (nv12_caps(kWidth, kHeight) + ",colorimetry=" + colorimetry).c_str());
    EXPECT_EQ(colorimetry_of(make_frame().get()), colorimetry);
  }
}

TEST_F(MetaTest, slot_that_upstream_filled_has_the_colorimetry_of_the_caps_too) {
  gst_harness_set_src_caps_str(harness_,
                               (nv12_caps(kWidth, kHeight) + ",colorimetry=bt2020").c_str());
  const ObjectPtr<GstBufferPool> pool = make_pool(-1, kWidth, kHeight);
  GstBuffer* input = nullptr;
  ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool.get(), &input, nullptr), GST_FLOW_OK);
  ASSERT_EQ(gst_harness_push(harness_, input), GST_FLOW_OK);
  const BufferPtr frame(gst_harness_pull(harness_));
  EXPECT_EQ(path_of(harness_->element), "direct");
  EXPECT_EQ(colorimetry_of(frame.get()), "bt2020");
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

TEST_F(MetaTest, map_of_a_frame_of_the_host_is_the_slot_itself) {
  const BufferPtr buffer = make_frame();
  GstNv12SlotFrame* frame = gst_buffer_get_nv12_slot_meta(buffer.get())->frame;
  GstNv12SlotPlanes planes;
  gst_nv12_slot_frame_get_planes(frame, &planes);
  GstNv12SlotMap map;
  ASSERT_TRUE(gst_nv12_slot_frame_map(frame, &map));
  for (const int plane : {0, 1}) {
    EXPECT_EQ(reinterpret_cast<guint64>(map.data[plane]), planes.data[plane]);
    EXPECT_EQ(map.stride[plane], planes.stride[plane]);
  }
  EXPECT_EQ(map.width, planes.width);
  EXPECT_EQ(map.height, planes.height);
  gst_nv12_slot_frame_unmap(frame, &map);
}

TEST_F(MetaTest, bytes_of_a_mapped_plane_keep_the_picture_when_all_else_is_gone) {
  BufferPtr buffer = make_frame();
  GstNv12SlotMap map;
  GstNv12SlotFrame* frame = gst_buffer_get_nv12_slot_meta(buffer.get())->frame;
  ASSERT_TRUE(gst_nv12_slot_frame_map(frame, &map));
  const gsize stride = map.stride[1];
  GBytes* uv = gst_nv12_slot_map_get_plane(&map, 1);
  EXPECT_EQ(gst_nv12_slot_map_get_plane(&map, 2), nullptr);
  gst_nv12_slot_frame_unmap(frame, &map);
  buffer.reset();
  EXPECT_EQ(slots_in_use(kHostDomain), 1U);
  gsize size = 0;
  const auto* bytes = static_cast<const std::uint8_t*>(g_bytes_get_data(uv, &size));
  EXPECT_EQ(size, stride * kHeight / 2);
  EXPECT_EQ(bytes[stride * 5 + 7],
            picture(kWidth, kHeight, 1)[std::size_t{kWidth} * (kHeight + 5) + 7]);
  g_bytes_unref(uv);
  EXPECT_EQ(slots_in_use(kHostDomain), 0U);
}

TEST_F(MetaTest, frame_can_be_a_boxed_value) {
  const BufferPtr buffer = make_frame();
  GValue value = G_VALUE_INIT;
  g_value_init(&value, GST_TYPE_NV12_SLOT_FRAME);
  g_value_set_boxed(&value, gst_buffer_get_nv12_slot_meta(buffer.get())->frame);
  EXPECT_EQ(g_value_get_boxed(&value), gst_buffer_get_nv12_slot_meta(buffer.get())->frame);
  g_value_unset(&value);
}

TEST_F(MetaTest, fence_of_a_device_that_is_not_there_is_refused) {
  const BufferPtr buffer = make_frame();
  EXPECT_FALSE(
      gst_nv12_slot_frame_fence(gst_buffer_get_nv12_slot_meta(buffer.get())->frame, 31, nullptr));
}

SlotHold* g_attached_hold = nullptr;

// The registry evicts old frames when it attaches one, and says so.
TEST_F(MetaTest, no_lock_of_a_memory_is_held_while_its_frame_is_attached) {
  SlotPool& pool = *Process::get().pool;
  FrameRegistry registry(pool.clock());
  Source source(pool.clock(), "yard");
  const auto lease = [&pool] {
    return std::move(pool.acquire({.width = kWidth, .height = kHeight})).value();
  };
  FrameRef old = registry.attach(lease(), std::move(source.begin_frame()).value(), kNoPts);
  ASSERT_TRUE(registry.hold(old.id()));
  old.reset();
  registry.set_age_limit(Duration(1));
  SlotHold hold(lease());
  g_attached_hold = &hold;
  set_log_sink([](LogLevel, std::string_view line) {
    if (!line.starts_with("EVICTED")) return;
    EXPECT_EQ(g_attached_hold->frame(), nullptr);  // else hangs
  });
  const FramePtr frame =
      hold.attach(registry, std::move(source.begin_frame()).value(), kNoPts, nullptr, {});
  set_log_sink(nullptr);
  EXPECT_NE(frame, nullptr);
  EXPECT_EQ(registry.stats().evicted, 1U);
}

// ---- What consumers promise -------------------------------------------------------------------

/// Plays videotestsrc ! nv12slotcopy ! `rest` with a reader declared at each sink named in
/// `readers`, and says whether the frames then needed no cooldown.
bool needs_no_cooldown(const std::string& rest, const std::vector<const char*>& readers) {
  EXPECT_TRUE(Process::get().pool->set_cooldown(SlotPool::kMaxCooldown));
  const unsigned cooling = Process::get().pool->stats(kHostDomain).cooling;
  GstElement* pipeline =
      gst_parse_launch(("videotestsrc num-buffers=2 ! " + nv12_caps(kWidth, kHeight) +
                        " ! nv12slotcopy device=-1 ! " + rest)
                           .c_str(),
                       nullptr);
  gst_object_ref_sink(pipeline);
  for (const char* name : readers) {
    const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline), name));
    const ObjectPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
    EXPECT_NE(gst_nv12_slot_declare_reader(pad.get()), 0U);
  }
  EXPECT_TRUE(play(pipeline).eos);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  const bool none_cools = Process::get().pool->stats(kHostDomain).cooling == cooling;
  reset_pool();
  return none_cools;
}

TEST(ReaderTest, one_declared_reader_needs_no_cooldown) {
  EXPECT_TRUE(needs_no_cooldown("fakesink name=a", {"a"}));
}

/// A transform answers for the caps it has: asked before it is told others, it would pass the
/// promise of a sink that then gets pictures it scales itself.
TEST(ReaderTest, promise_is_asked_for_after_downstream_was_told_the_caps) {
  reset_pool();
  GstHarness* harness = copy_harness("device=-1");
  std::vector<GstCaps*> told;
  gst_pad_add_probe(
      harness->sinkpad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH),
      [](GstPad* pad, GstPadProbeInfo* info, gpointer list) {
        if (GST_QUERY_TYPE(GST_PAD_PROBE_INFO_QUERY(info)) == GST_QUERY_ALLOCATION) {
          static_cast<std::vector<GstCaps*>*>(list)->push_back(gst_pad_get_current_caps(pad));
        }
        return GST_PAD_PROBE_OK;
      },
      &told, nullptr);
  for (const int width : {64, 128}) {
    gst_harness_set_src_caps_str(harness, nv12_caps(width, kHeight).c_str());
    ASSERT_FALSE(told.empty());
    ASSERT_NE(told.back(), nullptr) << "asked before it had caps";
    int had = 0;
    gst_structure_get_int(gst_caps_get_structure(told.back(), 0), "width", &had);
    EXPECT_EQ(had, width);
  }
  for (GstCaps* caps : told) gst_caps_unref(caps);
  gst_harness_teardown(harness);
}

TEST(ReaderTest, promise_can_be_made_and_taken_back_while_frames_flow) {
  reset_pool();
  ASSERT_TRUE(Process::get().pool->set_cooldown(SlotPool::kMaxCooldown));
  GstHarness* harness = copy_harness("device=-1");
  gst_harness_set_src_caps_str(harness, nv12_caps(kWidth, kHeight).c_str());
  const auto cools = [harness] {
    const unsigned before = Process::get().pool->stats(kHostDomain).cooling;
    gst_harness_push(harness, make_buffer(kWidth, kHeight, 1).release());
    gst_buffer_unref(gst_harness_pull(harness));
    return Process::get().pool->stats(kHostDomain).cooling - before;
  };
  EXPECT_EQ(cools(), 1U);
  const gulong promise = gst_nv12_slot_declare_reader(harness->sinkpad);
  EXPECT_EQ(cools(), 0U);
  gst_nv12_slot_undeclare_reader(harness->sinkpad, promise);
  EXPECT_EQ(cools(), 1U);
  gst_harness_teardown(harness);
  reset_pool();
}

TEST(ReaderTest, fence_of_a_device_that_is_not_there_leaves_the_cooldown) {
  reset_pool();
  ASSERT_TRUE(Process::get().pool->set_cooldown(SlotPool::kMaxCooldown));
  GstHarness* harness = copy_harness("device=-1");
  gst_nv12_slot_declare_reader(harness->sinkpad);
  gst_harness_set_src_caps_str(harness, nv12_caps(kWidth, kHeight).c_str());
  gst_harness_push(harness, make_buffer(kWidth, kHeight, 1).release());
  BufferPtr buffer(gst_harness_pull(harness));
  const unsigned cooling = Process::get().pool->stats(kHostDomain).cooling;
  EXPECT_FALSE(
      gst_nv12_slot_frame_fence(gst_buffer_get_nv12_slot_meta(buffer.get())->frame, 31, nullptr));
  buffer.reset();
  EXPECT_EQ(Process::get().pool->stats(kHostDomain).cooling, cooling + 1);
  gst_harness_teardown(harness);
  reset_pool();
}

TEST(ReaderTest, undeclared_reader_needs_the_cooldown) {
  EXPECT_FALSE(needs_no_cooldown("fakesink name=a", {}));
}

TEST(ReaderTest, declared_readers_behind_a_tee_all_count) {
  EXPECT_TRUE(
      needs_no_cooldown("tee name=t t. ! queue ! fakesink async=false name=a t. ! queue ! fakesink "
                        "async=false name=b",
                        {"a", "b"}));
}

TEST(ReaderTest, one_undeclared_reader_behind_a_tee_is_enough_for_the_cooldown) {
  EXPECT_FALSE(
      needs_no_cooldown("tee name=t t. ! queue ! fakesink async=false name=a t. ! queue ! fakesink "
                        "async=false name=b",
                        {"a"}));
}

TEST(ReaderTest, promise_is_not_passed_on_by_an_element_that_makes_other_memory) {
  EXPECT_FALSE(needs_no_cooldown("videoscale ! video/x-raw,width=32 ! fakesink name=a", {"a"}));
}

}  // namespace
}  // namespace nv12slot::gst
