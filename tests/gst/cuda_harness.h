// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "gst_test.h"
#include "raii.h"

namespace nv12slot::gst {

constexpr int kWidth = 64;
constexpr int kHeight = 32;
constexpr Domain kDevice = 0;

/// On the stand-in driver: nothing is left behind, and nothing is used before it is complete.
class CopyCudaTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
};

/// nv12slotcopy, and frames in CUDA memory of the shared context, as a decoder would push them.
class CudaHarness {
 public:
  explicit CudaHarness(const std::string& properties = "", int width = kWidth,
                       int height = kHeight);
  ~CudaHarness();
  CudaHarness(const CudaHarness&) = delete;
  CudaHarness& operator=(const CudaHarness&) = delete;

  [[nodiscard]] GstHarness* get() const { return harness_; }
  [[nodiscard]] GstElement* element() const { return harness_->element; }

  /// A pool of gst-cuda's own, active.
  [[nodiscard]] ObjectPtr<GstBufferPool> decoder_pool(GstObject* context) const;
  /// For this harness's pictures, and activates.
  void configure(GstBufferPool* pool) const;

  /// A buffer of `pool` with picture(seed) in it; empty if the pool has none.
  [[nodiscard]] BufferPtr make(GstBufferPool* pool, unsigned seed) const;
  void fill(GstBuffer* buffer, unsigned seed) const;

  /// What is behind waits and fences by itself from the next frame on.
  void declare_reader();

  GstFlowReturn push(unsigned seed);
  BufferPtr pull() { return BufferPtr(gst_harness_try_pull(harness_)); }
  std::vector<std::uint8_t> read(GstBuffer* buffer) const {
    return read_picture(buffer, width_, height_);
  }

  /// What nv12slotcopy offers to a decoder upstream.
  [[nodiscard]] ObjectPtr<GstBufferPool> offered_pool() const;

 private:
  const int width_, height_;
  GstHarness* const harness_;
  ObjectPtr<GstBufferPool> pool_;
};

}  // namespace nv12slot::gst
