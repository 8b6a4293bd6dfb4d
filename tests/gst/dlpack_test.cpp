// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The planes of frames as DLPack tensors, of the host and, where a driver is, of a device.
#include <dlpack/dlpack.h>

#include <memory>

#include "gst_test.h"

namespace nv12slot::gst {
namespace {

constexpr int kWidth = 72;  // rows of slots are padded
constexpr int kHeight = 32;
constexpr guint kY = 0;
constexpr guint kUv = 1;

struct DlpackFree {
  void operator()(DLManagedTensor* tensor) const { tensor->deleter(tensor); }
};
using TensorPtr = std::unique_ptr<DLManagedTensor, DlpackFree>;

class DlpackTest : public testing::TestWithParam<Domain> {
 protected:
  void SetUp() override {
    reset_pool();
    if (GetParam() != kHostDomain && !Process::get().pool->device(GetParam())) {
      GTEST_SKIP() << "no driver";
    }
    harness_ = copy_harness("device=" + std::to_string(GetParam()));
    gst_harness_set_src_caps_str(harness_, nv12_caps(kWidth, kHeight).c_str());
    gst_harness_push(harness_, make_buffer(kWidth, kHeight, 1).release());
    buffer_.reset(gst_harness_pull(harness_));
    frame_ = gst_buffer_get_nv12_slot_meta(buffer_.get())->frame;
    ASSERT_EQ(gst_nv12_slot_frame_get_device(frame_), GetParam());
    gst_nv12_slot_frame_get_planes(frame_, &planes_);
  }
  void TearDown() override {
    if (harness_ == nullptr) return;
    buffer_.reset();
    gst_harness_teardown(harness_);
    EXPECT_TRUE(comes_to_be_unused(GetParam())) << "a reference was leaked";
  }

  TensorPtr export_plane(guint plane) {
    return TensorPtr(
        static_cast<DLManagedTensor*>(gst_nv12_slot_frame_export_dlpack(frame_, plane)));
  }

  GstHarness* harness_ = nullptr;
  BufferPtr buffer_;
  GstNv12SlotFrame* frame_ = nullptr;  // the buffer's
  GstNv12SlotPlanes planes_{};
};

INSTANTIATE_TEST_SUITE_P(Domains, DlpackTest, testing::Values(kHostDomain, 0),
                         [](const testing::TestParamInfo<Domain>& domain) {
                           return domain.param == kHostDomain ? "host" : "device";
                         });

std::vector<std::int64_t> numbers(const std::int64_t* from, int count) {
  return {from, from + count};
}

TEST_P(DlpackTest, y_is_rows_of_bytes_with_their_padding) {
  const TensorPtr tensor = export_plane(kY);
  const DLTensor& y = tensor->dl_tensor;
  EXPECT_EQ(reinterpret_cast<guint64>(y.data) + y.byte_offset, planes_.data[0]);
  EXPECT_EQ(numbers(y.shape, y.ndim), (std::vector<std::int64_t>{kHeight, kWidth}));
  EXPECT_EQ(numbers(y.strides, y.ndim),
            (std::vector<std::int64_t>{static_cast<std::int64_t>(planes_.stride[0]), 1}));
  EXPECT_GT(y.strides[0], kWidth);
}

TEST_P(DlpackTest, uv_is_rows_of_pairs_with_their_padding) {
  const TensorPtr tensor = export_plane(kUv);
  const DLTensor& uv = tensor->dl_tensor;
  EXPECT_EQ(reinterpret_cast<guint64>(uv.data) + uv.byte_offset, planes_.data[1]);
  EXPECT_EQ(numbers(uv.shape, uv.ndim), (std::vector<std::int64_t>{kHeight / 2, kWidth / 2, 2}));
  EXPECT_EQ(numbers(uv.strides, uv.ndim),
            (std::vector<std::int64_t>{static_cast<std::int64_t>(planes_.stride[1]), 2, 1}));
}

TEST_P(DlpackTest, samples_are_unsigned_bytes_on_the_frames_device) {
  for (const guint plane : {kY, kUv}) {
    const TensorPtr tensor = export_plane(plane);
    const DLTensor& samples = tensor->dl_tensor;
    EXPECT_EQ(samples.dtype.code, kDLUInt);
    EXPECT_EQ(samples.dtype.bits, 8);
    EXPECT_EQ(samples.dtype.lanes, 1);
    EXPECT_EQ(samples.device.device_type, GetParam() == kHostDomain ? kDLCPU : kDLCUDA);
    EXPECT_EQ(samples.device.device_id, 0);
  }
}

TEST_P(DlpackTest, tensor_keeps_the_frame_until_it_is_deleted) {
  TensorPtr tensor = export_plane(kY);
  buffer_.reset();
  EXPECT_EQ(slots_in_use(GetParam()), 1U);
  tensor.reset();
  EXPECT_TRUE(comes_to_be_unused(GetParam()));
}

TEST_P(DlpackTest, tensor_that_nobody_consumed_can_be_freed_without_the_header) {
  gpointer tensor = gst_nv12_slot_frame_export_dlpack(frame_, kUv);
  buffer_.reset();
  EXPECT_EQ(slots_in_use(GetParam()), 1U);
  gst_nv12_slot_dlpack_free(tensor);
  EXPECT_TRUE(comes_to_be_unused(GetParam()));
}

TEST_P(DlpackTest, there_is_no_third_plane) {
  EXPECT_EQ(gst_nv12_slot_frame_export_dlpack(frame_, 2), nullptr);
}

}  // namespace
}  // namespace nv12slot::gst
