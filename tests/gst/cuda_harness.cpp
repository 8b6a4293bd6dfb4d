// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuda_harness.h"

#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudamemory.h>

#include "standin_control.h"

namespace nv12slot::gst {

using standin::control;

void CopyCudaTest::SetUp() {
  if (!control().present()) GTEST_SKIP() << "not the stand-in driver";
  control().reset();
  reset_pool();
  // What GStreamer loads on the way must not count.
  ASSERT_NE(gst_nv12_slot_cuda_context(kDevice), nullptr);
}

void CopyCudaTest::TearDown() {
  if (IsSkipped()) return;
  EXPECT_EQ(control().hazards(), 0U) << control().last_hazard();
  EXPECT_TRUE(comes_to_be_unused(kDevice)) << "a reference was leaked";
  control().reset();
}

CudaHarness::CudaHarness(const std::string& properties, int width, int height)
    : width_(width), height_(height), harness_(copy_harness("name=copy " + properties)) {
  gst_harness_set_src_caps_str(harness_, nv12_caps(width, height, true).c_str());
  pool_ = decoder_pool(gst_nv12_slot_cuda_context(kDevice));
}

CudaHarness::~CudaHarness() {
  if (pool_ != nullptr) gst_buffer_pool_set_active(pool_.get(), FALSE);
  gst_harness_teardown(harness_);
}

ObjectPtr<GstBufferPool> CudaHarness::decoder_pool(GstObject* context) const {
  ObjectPtr<GstBufferPool> pool(gst_cuda_buffer_pool_new(GST_CUDA_CONTEXT(context)));
  configure(pool.get());
  return pool;
}

void CudaHarness::configure(GstBufferPool* pool) const {
  const CapsPtr caps(gst_caps_from_string(nv12_caps(width_, height_, true).c_str()));
  GstStructure* config = gst_buffer_pool_get_config(pool);
  gst_buffer_pool_config_set_params(config, caps.get(), 0, 0, 0);
  EXPECT_TRUE(gst_buffer_pool_set_config(pool, config));
  EXPECT_TRUE(gst_buffer_pool_set_active(pool, TRUE));
}

BufferPtr CudaHarness::make(GstBufferPool* pool, unsigned seed) const {
  GstBuffer* buffer = nullptr;
  if (gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr) != GST_FLOW_OK) return nullptr;
  fill(buffer, seed);
  return BufferPtr(buffer);
}

void CudaHarness::fill(GstBuffer* buffer, unsigned seed) const {
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

void CudaHarness::declare_reader() {
  gst_nv12_slot_declare_reader(harness_->sinkpad);
  gst_harness_push_upstream_event(harness_, gst_event_new_reconfigure());
}

GstFlowReturn CudaHarness::push(unsigned seed) {
  return gst_harness_push(harness_, make(pool_.get(), seed).release());
}

ObjectPtr<GstBufferPool> CudaHarness::offered_pool() const {
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

}  // namespace nv12slot::gst
