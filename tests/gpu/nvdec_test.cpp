// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nvh264dec into slots on a real GPU, with inference going on beside it. Plays the H.264 byte
// stream that NV12SLOT_STREAM names.
#include <gst/app/gstappsink.h>

#include <cstdlib>
#include <mutex>

#include "../gst/gst_test.h"
#include "cudacontext.h"
#include "gpu_load.h"
#include "have_gpu.h"

namespace nv12slot::gst {
namespace {

const char* stream_file() {
  const char* file = std::getenv("NV12SLOT_STREAM");
  return file != nullptr ? file : "";
}

/// The decoders of this GStreamer that write into slots.
std::vector<std::string> decoders() {
  std::vector<std::string> all{"nvh264dec"};
  if (has_element("nvh264sldec")) all.emplace_back("nvh264sldec");
  return all;
}

/// A picture of a device in host memory, Y then UV. Waits for the frame in a stream of its own.
std::vector<std::uint8_t> download(GstNv12SlotFrame* frame) {
  GstNv12SlotPlanes from;
  gst_nv12_slot_frame_get_planes(frame, &from);
  Device& device = *Process::get().pool->device(gst_nv12_slot_frame_get_device(frame)).value();
  std::vector<std::uint8_t> picture(std::size_t{from.width} * from.height * 3 / 2);
  const auto address = reinterpret_cast<std::uintptr_t>(picture.data());
  const StreamHandle stream = device.take_stream().value();
  EXPECT_TRUE(gst_nv12_slot_frame_wait(frame, stream));
  EXPECT_TRUE(device.copy(
      {address, address + std::size_t{from.width} * from.height, from.width, from.width},
      kHostDomain, {from.data[0], from.data[1], from.stride[0], from.stride[1]}, device.domain(),
      from.width, from.height, stream));
  EXPECT_TRUE(gst_nv12_slot_frame_fence(frame, -1, stream));
  EXPECT_TRUE(device.synchronize(stream));
  device.give_stream(stream);
  return picture;
}

struct FrameUnrefer {
  void operator()(GstNv12SlotFrame* frame) const { gst_nv12_slot_frame_unref(frame); }
};
using KeptFrame = std::unique_ptr<GstNv12SlotFrame, FrameUnrefer>;

/// Plays the stream once and keeps its first frames.
struct Camera {
  explicit Camera(const std::string& decoder, std::size_t keep, bool promise = false) : most(keep) {
    pipeline = gst_parse_launch(
        ("filesrc location=\"" + std::string(stream_file()) + "\" ! h264parse ! " + decoder +
         " ! nv12slotcopy name=copy on-exhausted=block ! appsink name=sink sync=false "
         "emit-signals=true")
            .c_str(),
        nullptr);
    gst_object_ref_sink(pipeline);
    const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
    g_signal_connect(sink.get(), "new-sample", G_CALLBACK(&Camera::on_sample), this);
    if (promise) {
      const ObjectPtr<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
      gst_nv12_slot_declare_reader(pad.get());
    }
  }
  ~Camera() { destroy(); }

  void play_to_the_end() {
    const RunResult result = play(pipeline);
    EXPECT_TRUE(result.eos) << result.error << result.debug;
  }
  void destroy() {
    if (pipeline == nullptr) return;
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_clear_pointer(&pipeline, gst_object_unref);
  }

  static GstFlowReturn on_sample(GstElement* sink, gpointer data) {
    auto* camera = static_cast<Camera*>(data);
    GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(sink));
    GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(gst_sample_get_buffer(sample));
    EXPECT_NE(meta, nullptr);
    if (camera->frames.size() < camera->most) {
      camera->was_complete = camera->was_complete && gst_nv12_slot_frame_is_complete(meta->frame);
      camera->frames.emplace_back(gst_nv12_slot_frame_ref(meta->frame));
      camera->pictures.push_back(download(meta->frame));
    }
    gst_sample_unref(sample);
    return GST_FLOW_OK;
  }

  const std::size_t most;
  GstElement* pipeline = nullptr;
  std::vector<KeptFrame> frames;
  std::vector<std::vector<std::uint8_t>> pictures;  // as they were when the frames came
  bool was_complete = true;
};

class NvdecTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!gpu::have_gpu()) GTEST_SKIP() << "no GPU here";
    if (stream_file()[0] == '\0') GTEST_SKIP() << "NV12SLOT_STREAM names no H.264 stream";
    reset_pool();
    ASSERT_TRUE(Process::get().pool->set_cooldown(std::chrono::milliseconds(50)));
  }
};

TEST_F(NvdecTest, frames_are_written_straight_into_slots) {
  for (const std::string& decoder : decoders()) {
    Camera camera(decoder, 0);
    camera.play_to_the_end();
    const ObjectPtr<GstElement> copy(gst_bin_get_by_name(GST_BIN(camera.pipeline), "copy"));
    EXPECT_GT(stat(copy.get(), "direct"), 0U) << decoder;
    EXPECT_EQ(stat(copy.get(), "copied"), 0U) << decoder;
    EXPECT_EQ(stat(copy.get(), "dropped"), 0U) << decoder;
  }
}

TEST_F(NvdecTest, frames_outlive_camera_and_decoder_while_other_cameras_come_and_go) {
  for (const std::string& decoder : decoders()) {
    Camera camera(decoder, 20);
    camera.play_to_the_end();
    camera.destroy();
    ASSERT_EQ(camera.frames.size(), 20U);
    for (int i = 0; i < 3; ++i) Camera(decoder, 0).play_to_the_end();
    for (std::size_t i = 0; i < camera.frames.size(); ++i) {
      EXPECT_EQ(download(camera.frames[i].get()), camera.pictures[i]) << decoder << ", frame " << i;
    }
  }
}

TEST_F(NvdecTest, readers_that_wait_by_themselves_see_the_same_pictures_under_load) {
  for (const std::string& decoder : decoders()) {
    Camera reference(decoder, 30);
    reference.play_to_the_end();
    gpu::GpuLoad load(*Process::get().pool->device(0).value(), gpu::GpuLoad::Kind::kFull);
    Camera camera(decoder, 30, /*promise=*/true);
    camera.play_to_the_end();
    EXPECT_EQ(camera.pictures, reference.pictures) << decoder;
#if GST_CHECK_VERSION(1, 24, 0)
    EXPECT_FALSE(camera.was_complete) << "every frame was waited for all the same";
#endif
  }
}

TEST_F(NvdecTest, process_may_exit_while_frames_are_held) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";  // the driver does not survive fork()
  EXPECT_EXIT(
      {
        auto* camera = new Camera("nvh264dec", 20);
        static const std::unique_ptr<Camera> held_until_exit(camera);
        camera->play_to_the_end();
        std::exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace nv12slot::gst
