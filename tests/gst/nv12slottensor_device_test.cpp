// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slottensor where there is a device: a GPU, or the stand-in driver.

#include <atomic>

#include "../standin/standin_control.h"
#include "nv12slot/cuda_device.h"
#include "tensor_fixture.h"

namespace nv12slot::gst {
namespace {

/// On a device; skipped where there is none.
class TensorDeviceTest : public TensorTest {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "no CUDA device";
    TensorTest::SetUp();
  }
  void TearDown() override {
    if (cuda_device_count() == 0) return;
    TensorTest::TearDown();
    EXPECT_TRUE(comes_to_be_unused(0)) << "a reference was leaked";
  }

  static constexpr const char* kCudaTensors = "other/tensors(memory:CUDAMemory)";
};

TEST_F(TensorDeviceTest, frames_of_the_device_are_read_in_place) {
  open("width=16 height=16 scale-mode=stretch", kCudaTensors);
  GstHarness* const copy = copy_harness("device=0");
  gst_harness_set_sink_caps_str(copy, nv12_caps(16, 16, true).c_str());
  gst_harness_set_src_caps_str(copy, (nv12_caps(16, 16) + ",colorimetry=bt709").c_str());
  gst_harness_set_src_caps_str(harness_, (nv12_caps(16, 16, true) + ",colorimetry=bt709").c_str());
  gst_harness_push(copy, plain(16, 16, 235).release());
  gst_harness_push(harness_, gst_harness_pull(copy));
  const BufferPtr tensor = pull();
  EXPECT_EQ(text(element_, "path"), "zero-copy");
  EXPECT_EQ(gst_nv12_slot_frame_get_device(gst_buffer_get_nv12_tensor_meta(tensor.get())->frame),
            0);
  for (const float value : elements<float>(tensor.get())) ASSERT_NEAR(value, 1, 1e-3);
  gst_harness_teardown(copy);
}

TEST_F(TensorDeviceTest, pictures_of_the_host_are_copied_to_the_device) {
  open("width=16 height=16 scale-mode=stretch", kCudaTensors);
  caps(harness_, 16, 16, ",colorimetry=bt709");
  gst_harness_push(harness_, plain(16, 16, 235).release());
  const BufferPtr tensor = pull();
  EXPECT_EQ(text(element_, "path"), "host");
  for (const float value : elements<float>(tensor.get())) ASSERT_NEAR(value, 1, 1e-3);
}

TEST_F(TensorDeviceTest, a_picture_without_a_slot_to_be_brought_to_costs_its_batch_nothing) {
  open("width=8 height=8 batch-size=2 batch-timeout=60000000000 timeout=0", kCudaTensors);
  GstHarness* const host = camera("sink_1");
  caps(host, 16, 16);
  GstHarness* const copy = copy_harness("device=0");
  gst_harness_set_sink_caps_str(copy, nv12_caps(16, 16, true).c_str());
  gst_harness_set_src_caps_str(copy, nv12_caps(16, 16).c_str());
  gst_harness_set_src_caps_str(harness_, nv12_caps(16, 16, true).c_str());
  // One slot for a tensor, and one for pictures, which is that of a frame that stays with us.
  ASSERT_TRUE(Process::get().pool->set_cap(1));
  gst_harness_push(copy, plain(16, 16, 100).release());
  const BufferPtr frame(gst_harness_pull(copy));
  gst_harness_push(harness_, gst_buffer_ref(frame.get()));
  while (counter(element_, "pictures") < 1) std::this_thread::yield();
  gst_harness_push(host, plain(16, 16, 100).release());
  while (counter(element_, "dropped") < 1) std::this_thread::yield();
  EXPECT_EQ(counter(element_, "exhausted"), 1U);
  gst_harness_push_event(harness_, gst_event_new_eos());
  gst_harness_push_event(host, gst_event_new_eos());
  const BufferPtr tensor = pull();
  EXPECT_EQ(gst_buffer_get_nv12_tensor_meta(tensor.get())->n_items, 1U);
  gst_harness_teardown(copy);
}

// Downstream is slow, and meanwhile all cameras go on.
TEST_F(TensorDeviceTest, pictures_that_are_there_together_are_written_by_one_kernel) {
  const standin::Control& standin = standin::control();
  if (!standin.present()) GTEST_SKIP() << "needs the stand-in driver";
  open("width=8 height=8 scale-mode=stretch batch-size=3 batch-timeout=60000000000", kCudaTensors);
  const std::vector<GstHarness*> cameras{harness_, camera("sink_1"), camera("sink_2")};
  for (GstHarness* it : cameras) caps(it, 16, 16, ",colorimetry=bt709");
  const auto push = [&] {
    std::uint8_t luma = 16;  // black, and brighter ones
    for (GstHarness* it : cameras) {
      const guint64 before = counter(element_, "pictures");
      gst_harness_push(it, plain(16, 16, luma).release());
      luma += 100;
      // In this order while they are taken.
      for (int i = 0; i < 100 && counter(element_, "pictures") == before; ++i) g_usleep(100);
    }
  };
  std::atomic<bool> is_blocked{false};
  const ObjectPtr<GstPad> src(gst_element_get_static_pad(element_, "src"));
  const gulong block = gst_pad_add_probe(
      src.get(), static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER),
      [](GstPad*, GstPadProbeInfo*, gpointer blocked) {
        static_cast<std::atomic<bool>*>(blocked)->store(true);
        return GST_PAD_PROBE_OK;
      },
      &is_blocked, nullptr);
  push();
  while (!is_blocked) std::this_thread::yield();
  push();
  standin.reset();
  gst_pad_remove_probe(src.get(), block);
  pull();
  const BufferPtr tensor = pull();
  EXPECT_EQ(standin.calls("cuLaunchKernel"), 1U);
  const std::vector<float> values = elements<float>(tensor.get());
  ASSERT_EQ(values.size(), 3U * 3 * 64);
  EXPECT_NEAR(values.front(), 0, 1e-3);
  EXPECT_NEAR(values[3 * 64], 100.0 / 219, 1e-3);
  EXPECT_NEAR(values.back(), 200.0 / 219, 1e-3);
}

TEST_F(TensorDeviceTest, tensors_come_to_the_host_where_downstream_is_there) {
  open("width=16 height=16 scale-mode=stretch", "other/tensors");
  caps(harness_, 16, 16, ",colorimetry=bt709");
  gst_harness_push(harness_, plain(16, 16, 235).release());
  const BufferPtr tensor = pull();
  EXPECT_EQ(gst_nv12_slot_frame_get_device(gst_buffer_get_nv12_tensor_meta(tensor.get())->frame),
            kHostDomain);
  for (const float value : elements<float>(tensor.get())) ASSERT_NEAR(value, 1, 1e-3);
}

TEST_F(TensorDeviceTest, frames_of_the_device_come_to_the_host_where_tensors_are_made_there) {
  open("device=-1 width=16 height=16 scale-mode=stretch", "other/tensors");
  GstHarness* const copy = copy_harness("device=0");
  gst_harness_set_sink_caps_str(copy, nv12_caps(16, 16, true).c_str());
  gst_harness_set_src_caps_str(copy, nv12_caps(16, 16).c_str());
  gst_harness_push(copy, plain(16, 16, 235).release());
  caps(harness_, 16, 16, ",colorimetry=bt709");
  gst_harness_push(harness_, gst_harness_pull(copy));
  for (const float value : elements<float>(pull().get())) ASSERT_NEAR(value, 1, 1e-3);
  EXPECT_EQ(text(element_, "path"), "host");
  gst_harness_teardown(copy);
}

TEST_F(TensorDeviceTest, a_consumer_that_waits_by_itself_gets_the_tensor_at_once) {
  open("width=16 height=16 scale-mode=stretch", kCudaTensors);
  gst_nv12_slot_declare_reader(harness_->sinkpad);
  caps(harness_, 16, 16);
  gst_harness_push(harness_, plain(16, 16, 235).release());
  const BufferPtr tensor = pull();
  EXPECT_EQ(text(element_, "hand-over"), "event");
  EXPECT_FALSE(
      gst_nv12_slot_frame_is_complete(gst_buffer_get_nv12_tensor_meta(tensor.get())->frame));
}

}  // namespace
}  // namespace nv12slot::gst
