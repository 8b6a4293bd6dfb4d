// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst_test.h"

namespace nv12slot::gst {

std::vector<std::uint8_t> picture(int width, int height, unsigned seed) {
  std::vector<std::uint8_t> bytes;
  for (int row = 0; row < height / 2 * 3; ++row) {
    for (int column = 0; column < width; ++column) {
      bytes.push_back(static_cast<std::uint8_t>(seed * 31 + static_cast<unsigned>(row) * 7 +
                                                static_cast<unsigned>(column) * 3));
    }
  }
  return bytes;
}

BufferPtr make_buffer(int width, int height, unsigned seed) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, static_cast<guint>(width),
                            static_cast<guint>(height));
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, info.size, nullptr));
  GstVideoFrame frame;
  EXPECT_TRUE(gst_video_frame_map(&frame, &info, buffer.get(), GST_MAP_WRITE));
  const std::vector<std::uint8_t> bytes = picture(width, height, seed);
  for (int row = 0; row < height / 2 * 3; ++row) {
    const guint plane = row < height ? 0 : 1;
    const int line = row < height ? row : row - height;
    auto* to = static_cast<std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, plane)) +
               line * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane);
    std::copy_n(bytes.begin() + row * width, width, to);
  }
  gst_video_frame_unmap(&frame);
  return buffer;
}

std::vector<std::uint8_t> read_picture(GstBuffer* buffer, int width, int height) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, static_cast<guint>(width),
                            static_cast<guint>(height));
  std::vector<std::uint8_t> bytes;
  GstVideoFrame frame;
  if (!gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ)) {
    ADD_FAILURE() << "the buffer cannot be mapped";
    return bytes;
  }
  for (int row = 0; row < height / 2 * 3; ++row) {
    const guint plane = row < height ? 0 : 1;
    const int line = row < height ? row : row - height;
    const auto* from = static_cast<const std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, plane)) +
                       line * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane);
    bytes.insert(bytes.end(), from, from + width);
  }
  gst_video_frame_unmap(&frame);
  return bytes;
}

std::string nv12_caps(int width, int height, bool cuda) {
  return std::string("video/x-raw") + (cuda ? "(memory:CUDAMemory)" : "") +
         ",format=NV12,width=" + std::to_string(width) + ",height=" + std::to_string(height) +
         ",framerate=25/1";
}

ObjectPtr<GstBufferPool> make_pool(int device, int width, int height) {
  ObjectPtr<GstBufferPool> pool(gst_nv12_slot_buffer_pool_new(device));
  if (pool == nullptr) {
    ADD_FAILURE() << "no pool of device " << device;
    return pool;
  }
  const CapsPtr caps(gst_caps_from_string(nv12_caps(width, height, device >= 0).c_str()));
  GstStructure* config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_set_params(config, caps.get(), 0, 0, 0);
  gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  EXPECT_TRUE(gst_buffer_pool_set_config(pool.get(), config));
  EXPECT_TRUE(gst_buffer_pool_set_active(pool.get(), TRUE));
  return pool;
}

GstHarness* copy_harness(const std::string& properties) {
  const ObjectPtr<GstElement> element(static_cast<GstElement*>(
      gst_object_ref_sink(gst_parse_launch(("nv12slotcopy " + properties).c_str(), nullptr))));
  return gst_harness_new_with_element(element.get(), "sink", "src");
}

namespace {

StructurePtr stats(GstElement* element) {
  GstStructure* structure = nullptr;
  g_object_get(element, "stats", &structure, nullptr);
  return StructurePtr(structure);
}

}  // namespace

guint64 stat(GstElement* element, const char* field) {
  const StructurePtr structure = stats(element);
  const GValue* value = gst_structure_get_value(structure.get(), field);
  if (value == nullptr) {
    ADD_FAILURE() << "no statistic " << field;
    return 0;
  }
  return G_VALUE_HOLDS_UINT(value) ? g_value_get_uint(value) : g_value_get_uint64(value);
}

std::string path_of(GstElement* element) {
  return gst_structure_get_string(stats(element).get(), "path");
}

bool has_element(const char* factory) {
  const ObjectPtr<GstElementFactory> found(gst_element_factory_find(factory));
  return found != nullptr;
}

RunResult play(GstElement* pipeline) {
  RunResult result;
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  const ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline));
  bool done = false;
  while (!done) {
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus.get(), 60 * GST_SECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_WARNING));
    if (message == nullptr) {
      result.error = "timed out";
      break;
    }
    GError* error = nullptr;
    gchar* debug = nullptr;
    switch (GST_MESSAGE_TYPE(message)) {
      case GST_MESSAGE_EOS:
        result.eos = true;
        done = true;
        break;
      case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, &debug);
        result.error = error->message;
        result.debug = debug != nullptr ? debug : "";
        result.domain = error->domain;
        result.code = error->code;
        done = true;
        break;
      default:
        gst_message_parse_warning(message, &error, &debug);
        result.warnings.emplace_back(error->message);
        break;
    }
    g_clear_error(&error);
    g_free(debug);
    gst_message_unref(message);
  }
  return result;
}

RunResult play(const std::string& launch, const std::function<void(GstBin*)>& inspect) {
  GError* error = nullptr;
  GstElement* parsed = gst_parse_launch(launch.c_str(), &error);
  if (parsed == nullptr || error != nullptr) {
    ADD_FAILURE() << launch << ": " << (error != nullptr ? error->message : "not parsed");
    g_clear_error(&error);
    gst_clear_object(&parsed);
    return {};
  }
  gst_object_ref_sink(parsed);
  const ObjectPtr<GstElement> pipeline(parsed);
  RunResult result = play(pipeline.get());
  if (inspect) inspect(GST_BIN(pipeline.get()));
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return result;
}

void reset_pool() {
  SlotPool& pool = *Process::get().pool;
  ASSERT_TRUE(pool.set_cap(64));
  ASSERT_TRUE(pool.set_cooldown(Duration(0)));
}

unsigned slots_in_use(Domain domain) {
  const PoolStats stats = Process::get().pool->stats(domain);
  return stats.active + stats.cooling + stats.byte_active;
}

bool comes_to_be_unused(Domain domain) {
  for (int i = 0; i < 5000 && slots_in_use(domain) > 0; ++i) g_usleep(1000);
  return slots_in_use(domain) == 0;
}

}  // namespace nv12slot::gst
