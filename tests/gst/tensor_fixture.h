// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "gst_test.h"

namespace nv12slot::gst {

/// A picture of one colour, as a buffer in system memory.
inline BufferPtr plain(int width, int height, guint8 y, guint8 u = 128, guint8 v = 128) {
  const auto pixels = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  std::vector<guint8> bytes(pixels * 3 / 2, y);
  for (std::size_t i = pixels; i < bytes.size(); i += 2) {
    bytes[i] = u;
    bytes[i + 1] = v;
  }
  return BufferPtr(gst_buffer_new_memdup(bytes.data(), bytes.size()));
}

/// The tensor as its consumer sees it, in system memory.
template <typename T>
std::vector<T> elements(GstBuffer* buffer) {
  std::vector<T> result(gst_buffer_get_size(buffer) / sizeof(T));
  gst_buffer_extract(buffer, 0, result.data(), result.size() * sizeof(T));
  return result;
}

/// A number of the element's stats.
inline guint64 counter(GstElement* element, const char* field) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  const StructurePtr owned(stats);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats, field, &value)) << field;
  return value;
}

/// A word of the element's stats.
inline std::string text(GstElement* element, const char* field) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  const StructurePtr owned(stats);
  const char* value = gst_structure_get_string(stats, field);
  return value != nullptr ? value : "";
}

/// nv12slottensor with one camera; on the device where there is one, else on the host.
class TensorTest : public testing::Test {
 protected:
  void SetUp() override { reset_pool(); }
  void TearDown() override {
    for (GstHarness* camera : cameras_) gst_harness_teardown(camera);
    if (harness_ != nullptr) gst_harness_teardown(harness_);
    EXPECT_TRUE(comes_to_be_unused(kHostDomain)) << "a reference was leaked";
  }

  void open(const std::string& properties, const char* sink_caps = "other/tensors") {
    const std::string launch = "nv12slottensor " + properties;
    element_ = gst_parse_launch(launch.c_str(), nullptr);
    harness_ = gst_harness_new_with_element(element_, "sink_0", "src");
    gst_object_unref(element_);  // the harness has one
    if (sink_caps != nullptr) gst_harness_set_sink_caps_str(harness_, sink_caps);
  }
  /// Another camera.
  GstHarness* camera(const char* pad) {
    GstHarness* added = gst_harness_new_with_element(element_, pad, nullptr);
    cameras_.push_back(added);
    return added;
  }
  void caps(GstHarness* of, int width, int height, const std::string& more = "") {
    gst_harness_set_src_caps_str(of, (nv12_caps(width, height) + more).c_str());
  }
  BufferPtr pull() { return BufferPtr(gst_harness_pull(harness_)); }

  GstElement* element_ = nullptr;
  GstHarness* harness_ = nullptr;
  std::vector<GstHarness*> cameras_;
};

}  // namespace nv12slot::gst
