// SPDX-License-Identifier: LGPL-2.1-or-later
#include <thread>

#include "gst_test.h"
#include "nv12slot/cuda_device.h"

namespace nv12slot::gst {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 32;

/// On the host, and on the first device where there is one.
class BufferPoolTest : public testing::TestWithParam<Domain> {
 protected:
  void SetUp() override {
    if (GetParam() != kHostDomain && cuda_device_count() == 0) GTEST_SKIP() << "no CUDA device";
    reset_pool();
    in_use_before_ = slots_in_use(GetParam());
  }
  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_EQ(slots_in_use(GetParam()), in_use_before_);
  }

  [[nodiscard]] ObjectPtr<GstBufferPool> pool() const {
    return make_pool(GetParam(), kWidth, kHeight);
  }
  static BufferPtr acquire(GstBufferPool* pool, GstFlowReturn expected = GST_FLOW_OK,
                           bool dont_wait = false) {
    GstBuffer* buffer = nullptr;
    GstBufferPoolAcquireParams params{};
    if (dont_wait) params.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
    EXPECT_EQ(gst_buffer_pool_acquire_buffer(pool, &buffer, &params), expected);
    EXPECT_EQ(buffer != nullptr, expected == GST_FLOW_OK);
    return BufferPtr(buffer);
  }
  [[nodiscard]] unsigned in_use() const { return slots_in_use(GetParam()) - in_use_before_; }

 private:
  unsigned in_use_before_ = 0;
};

INSTANTIATE_TEST_SUITE_P(, BufferPoolTest, testing::Values(kHostDomain, 0),
                         [](const testing::TestParamInfo<Domain>& tested) {
                           return tested.param == kHostDomain ? "host" : "device";
                         });

TEST_P(BufferPoolTest, buffer_has_one_writable_memory_and_its_real_layout) {
  const auto pool = this->pool();
  const BufferPtr buffer = acquire(pool.get());
  ASSERT_EQ(gst_buffer_n_memory(buffer.get()), 1U);
  const GstVideoMeta* meta = gst_buffer_get_video_meta(buffer.get());
  ASSERT_NE(meta, nullptr);
  EXPECT_EQ(meta->offset[1], static_cast<gsize>(meta->stride[0]) * kHeight);
  EXPECT_GE(gst_buffer_get_size(buffer.get()),
            meta->offset[1] + static_cast<gsize>(meta->stride[1]) * kHeight / 2);
  EXPECT_TRUE(gst_buffer_is_all_memory_writable(buffer.get()));
  EXPECT_EQ(gst_buffer_get_nv12_slot_meta(buffer.get()), nullptr) << "nobody knows whose it is yet";
}

TEST_P(BufferPoolTest, config_is_given_the_true_size) {
  const auto pool = this->pool();
  const StructurePtr config(gst_buffer_pool_get_config(pool.get()));
  guint size = 0;
  gst_buffer_pool_config_get_params(config.get(), nullptr, &size, nullptr, nullptr);
  EXPECT_EQ(size, gst_buffer_get_size(acquire(pool.get()).get()));
  EXPECT_TRUE(gst_buffer_pool_has_option(pool.get(), GST_BUFFER_POOL_OPTION_VIDEO_META));
}

TEST_P(BufferPoolTest, bad_configurations_are_refused) {
  for (const char* text :
       {"video/x-raw,format=I420,width=64,height=32,framerate=25/1",
        "video/x-raw,format=NV12,width=63,height=32,framerate=25/1",
        "video/x-raw,format=NV12,width=64,height=31,framerate=25/1",
        "video/x-raw,format=NV12,width=64,height=100000,framerate=25/1",
        "video/x-raw,format=NV12,width=2147483647,height=2147483647,framerate=25/1",
        "video/x-raw,format=NV12,width=16386,height=2,framerate=25/1",
        "video/x-raw,format=NV12,width=0,height=0,framerate=25/1",
        "video/x-raw,format=NV12,width=-2,height=-2,framerate=25/1", "audio/x-raw"}) {
    const ObjectPtr<GstBufferPool> pool(gst_nv12_slot_buffer_pool_new(GetParam()));
    const CapsPtr caps(gst_caps_from_string(text));
    GstStructure* config = gst_buffer_pool_get_config(pool.get());
    gst_buffer_pool_config_set_params(config, caps.get(), 0, 0, 0);
    EXPECT_FALSE(gst_buffer_pool_set_config(pool.get(), config)) << text;
  }
  const ObjectPtr<GstBufferPool> pool(gst_nv12_slot_buffer_pool_new(GetParam()));
  EXPECT_FALSE(gst_buffer_pool_set_config(pool.get(), gst_buffer_pool_get_config(pool.get())))
      << "no caps";
}

TEST_P(BufferPoolTest, activation_preallocates_nothing) {
  const ObjectPtr<GstBufferPool> pool(gst_nv12_slot_buffer_pool_new(GetParam()));
  const auto allocated = Process::get().pool->stats(GetParam()).allocated;
  const CapsPtr caps(gst_caps_from_string(nv12_caps(1280, 720, GetParam() >= 0).c_str()));
  GstStructure* config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_set_params(config, caps.get(), 0, 16, 0);
  ASSERT_TRUE(gst_buffer_pool_set_config(pool.get(), config));
  ASSERT_TRUE(gst_buffer_pool_set_active(pool.get(), TRUE));
  EXPECT_EQ(Process::get().pool->stats(GetParam()).allocated, allocated);
  EXPECT_EQ(in_use(), 0U);
  gst_buffer_pool_set_active(pool.get(), FALSE);
}

TEST_P(BufferPoolTest, returned_buffer_gives_its_slot_up_at_once) {
  const auto pool = this->pool();
  BufferPtr buffer = acquire(pool.get());
  EXPECT_EQ(in_use(), 1U);
  buffer.reset();
  EXPECT_EQ(in_use(), 0U);
}

TEST_P(BufferPoolTest, memory_that_is_kept_keeps_its_slot_after_the_buffer_returned) {
  const auto pool = this->pool();
  BufferPtr buffer = acquire(pool.get());
  const MemoryPtr memory(gst_buffer_get_memory(buffer.get(), 0));
  buffer.reset();
  EXPECT_EQ(in_use(), 1U);
}

TEST_P(BufferPoolTest, memories_swapped_or_tagged_return_their_slots) {
  const auto pool = this->pool();
  BufferPtr replaced = acquire(pool.get());
  gst_buffer_replace_all_memory(replaced.get(), gst_allocator_alloc(nullptr, 16, nullptr));
  EXPECT_EQ(in_use(), 0U);
  BufferPtr resized = acquire(pool.get());
  gst_buffer_resize(resized.get(), 0, 16);
  resized.reset();
  EXPECT_EQ(in_use(), 0U);
}

TEST_P(BufferPoolTest, inactive_pool_returns_flushing) {
  const auto pool = this->pool();
  ASSERT_TRUE(gst_buffer_pool_set_active(pool.get(), FALSE));
  acquire(pool.get(), GST_FLOW_FLUSHING);
}

TEST_P(BufferPoolTest, flushing_pool_returns_flushing_until_it_does_not) {
  const auto pool = this->pool();
  gst_buffer_pool_set_flushing(pool.get(), TRUE);
  acquire(pool.get(), GST_FLOW_FLUSHING);
  gst_buffer_pool_set_flushing(pool.get(), FALSE);
  acquire(pool.get());
}

TEST_P(BufferPoolTest, exhausted_pool_says_so_and_never_eos) {
  const auto pool = this->pool();
  g_object_set(pool.get(), "quota", 1, nullptr);
  BufferPtr first = acquire(pool.get());
  acquire(pool.get(), GST_NV12_SLOT_FLOW_EXHAUSTED);
  g_object_set(pool.get(), "timeout", guint64{GST_CLOCK_TIME_NONE}, nullptr);
  acquire(pool.get(), GST_NV12_SLOT_FLOW_EXHAUSTED, /*dont_wait=*/true);
  first.reset();
  acquire(pool.get());
}

TEST_P(BufferPoolTest, acquire_that_waits_gives_up_after_the_timeout) {
  const auto pool = this->pool();
  g_object_set(pool.get(), "quota", 1, "timeout", guint64{GST_MSECOND}, nullptr);
  const BufferPtr first = acquire(pool.get());
  acquire(pool.get(), GST_NV12_SLOT_FLOW_EXHAUSTED);
}

/// Blocks in acquire on another thread until the pool counted it as blocked.
class Waiter {
 public:
  Waiter(GstBufferPool* pool, Domain domain) {
    const auto blocked = Process::get().pool->stats(domain).blocked;
    thread_ = std::thread([this, pool] {
      GstBuffer* buffer = nullptr;
      result_ = gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr);
      if (buffer != nullptr) gst_buffer_unref(buffer);
    });
    while (Process::get().pool->stats(domain).blocked == blocked) std::this_thread::yield();
  }
  GstFlowReturn join() {
    thread_.join();
    return result_;
  }

 private:
  std::thread thread_;
  GstFlowReturn result_ = GST_FLOW_OK;
};

TEST_P(BufferPoolTest, flush_wakes_a_blocked_acquire) {
  const auto pool = this->pool();
  g_object_set(pool.get(), "quota", 1, "timeout", guint64{GST_CLOCK_TIME_NONE}, nullptr);
  const BufferPtr first = acquire(pool.get());
  Waiter waiter(pool.get(), GetParam());
  gst_buffer_pool_set_flushing(pool.get(), TRUE);
  EXPECT_EQ(waiter.join(), GST_FLOW_FLUSHING);
}

TEST_P(BufferPoolTest, deactivation_wakes_a_blocked_acquire) {
  const auto pool = this->pool();
  g_object_set(pool.get(), "quota", 1, "timeout", guint64{GST_CLOCK_TIME_NONE}, nullptr);
  const BufferPtr first = acquire(pool.get());
  Waiter waiter(pool.get(), GetParam());
  gst_buffer_pool_set_active(pool.get(), FALSE);
  EXPECT_EQ(waiter.join(), GST_FLOW_FLUSHING);
}

TEST_P(BufferPoolTest, slot_that_is_released_wakes_a_blocked_acquire) {
  const auto pool = this->pool();
  g_object_set(pool.get(), "quota", 1, "timeout", guint64{GST_CLOCK_TIME_NONE}, nullptr);
  BufferPtr first = acquire(pool.get());
  Waiter waiter(pool.get(), GetParam());
  first.reset();
  EXPECT_EQ(waiter.join(), GST_FLOW_OK);
}

TEST_P(BufferPoolTest, buffers_outlive_the_pool_that_is_deactivated_and_gone) {
  auto pool = this->pool();
  BufferPtr buffer = acquire(pool.get());
  EXPECT_TRUE(gst_buffer_pool_set_active(pool.get(), FALSE));
  pool.reset();
  EXPECT_EQ(in_use(), 1U);
  gst_buffer_memset(buffer.get(), 0, 7, gst_buffer_get_size(buffer.get()));
  EXPECT_EQ(read_picture(buffer.get(), kWidth, kHeight)[5], 7);
  buffer.reset();
  EXPECT_EQ(in_use(), 0U);
}

TEST_P(BufferPoolTest, shallow_copy_of_a_buffer_keeps_the_slot) {
  const auto pool = this->pool();
  BufferPtr buffer = acquire(pool.get());
  gst_buffer_memset(buffer.get(), 0, 9, gst_buffer_get_size(buffer.get()));
  BufferPtr copy(gst_buffer_copy(buffer.get()));
  buffer.reset();
  EXPECT_EQ(in_use(), 1U);
  EXPECT_EQ(read_picture(copy.get(), kWidth, kHeight)[5], 9);
}

TEST_P(BufferPoolTest, deep_copy_has_the_same_picture_in_other_memory) {
  const auto pool = this->pool();
  BufferPtr buffer = acquire(pool.get());
  gst_buffer_memset(buffer.get(), 0, 11, gst_buffer_get_size(buffer.get()));
  BufferPtr copy(gst_buffer_copy_deep(buffer.get()));
  ASSERT_NE(copy, nullptr);
  buffer.reset();
  EXPECT_EQ(in_use(), 0U);
  EXPECT_EQ(read_picture(copy.get(), kWidth, kHeight)[5], 11);
}

TEST_P(BufferPoolTest, configuring_and_reading_the_configuration_leaks_nothing) {
  auto pool = this->pool();
  GstBufferPool* raw = pool.get();
  bool gone = false;
  g_object_weak_ref(
      G_OBJECT(raw), [](gpointer flag, GObject*) { *static_cast<bool*>(flag) = true; }, &gone);
  acquire(raw);
  pool.reset();
  EXPECT_TRUE(gone);
}

TEST(BufferPool, of_a_device_that_is_not_there_is_refused) {
  EXPECT_EQ(gst_nv12_slot_buffer_pool_new(31), nullptr);
  EXPECT_EQ(gst_nv12_slot_buffer_pool_new(-2), nullptr);
  EXPECT_EQ(gst_nv12_slot_cuda_context(31), nullptr);
  EXPECT_EQ(gst_nv12_slot_cuda_context(-1), nullptr);
}

}  // namespace
}  // namespace nv12slot::gst
