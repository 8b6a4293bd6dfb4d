// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotdec on a real GPU against libavcodec on the CPU: every picture, bit for bit. Plays the
// byte streams that NV12SLOT_STREAM (H.264) and NV12SLOT_STREAM_10BIT (H.265 Main 10) name; a GPU
// machine may have no encoder.
#include <cstdlib>

#include "../gst/gst_test.h"
#include "have_gpu.h"

namespace nv12slot::gst {
namespace {

struct Stream {
  const char* name;
  const char* variable;  // of the environment: its file
  const char* parser;
};
void PrintTo(const Stream& stream, std::ostream* out) {
  *out << stream.name;
}

/// What came of playing a stream once.
struct Played {
  std::vector<std::string> pictures;  // their checksums, in order
  bool is_cuda = false;               // the last one's memory
  guint64 opened = 0, reused = 0;
};

std::string checksum(const std::vector<std::uint8_t>& picture) {
  gchar* const sum = g_compute_checksum_for_data(G_CHECKSUM_MD5, picture.data(), picture.size());
  std::string text = sum;
  g_free(sum);
  return text;
}

void on_picture(GstElement*, GstBuffer* buffer, GstPad* pad, Played* played) {
  const CapsPtr caps(gst_pad_get_current_caps(pad));
  GstVideoInfo info;
  ASSERT_TRUE(gst_video_info_from_caps(&info, caps.get()));
  played->pictures.push_back(
      checksum(read_picture(buffer, GST_VIDEO_INFO_WIDTH(&info), GST_VIDEO_INFO_HEIGHT(&info))));
  played->is_cuda = gst_caps_features_contains(gst_caps_get_features(caps.get(), 0),
                                               "memory:CUDAMemory") != FALSE;
}

class DecodeTest : public testing::TestWithParam<Stream> {
 protected:
  void SetUp() override {
    if (!gpu::have_gpu()) GTEST_SKIP() << "no GPU here";
    if (file().empty()) GTEST_SKIP() << GetParam().variable << " names no stream";
    reset_pool();
  }
  static std::string file() {
    const char* const name = std::getenv(GetParam().variable);
    return name != nullptr ? name : "";
  }
  /// `after` goes between the decoder and the sink, such as a filter.
  static Played play(const std::string& settings, const std::string& after = "") {
    Played played;
    GstElement* const pipeline = gst_parse_launch(
        ("filesrc location=\"" + file() + "\" ! " + GetParam().parser +
         " ! nv12slotdec name=dec on-exhausted=block timeout=10000000000 " + settings + " ! " +
         after + "fakesink name=sink sync=false signal-handoffs=true")
            .c_str(),
        nullptr);
    gst_object_ref_sink(pipeline);
    const ObjectPtr<GstElement> owned(pipeline);
    const ObjectPtr<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
    const ObjectPtr<GstElement> dec(gst_bin_get_by_name(GST_BIN(pipeline), "dec"));
    g_signal_connect(sink.get(), "handoff", G_CALLBACK(on_picture), &played);
    const RunResult result = gst::play(pipeline);
    EXPECT_TRUE(result.eos) << result.error << ": " << result.debug;
    EXPECT_EQ(stat(dec.get(), "decode-errors"), 0U);
    EXPECT_EQ(stat(dec.get(), "dropped"), 0U);
    played.opened = stat(dec.get(), "decoders-opened");
    played.reused = stat(dec.get(), "decoders-reused");
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return played;
  }
  static void expect_same(const Played& shown, const Played& right) {
    ASSERT_FALSE(right.pictures.empty());
    ASSERT_EQ(shown.pictures.size(), right.pictures.size());
    for (std::size_t i = 0; i < right.pictures.size(); ++i) {
      EXPECT_EQ(shown.pictures[i], right.pictures[i]) << "picture " << i;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Of, DecodeTest,
                         testing::Values(Stream{"8_bits", "NV12SLOT_STREAM", "h264parse"},
                                         Stream{"10_bits", "NV12SLOT_STREAM_10BIT", "h265parse"}),
                         [](const auto& stream) { return std::string(stream.param.name); });

TEST_P(DecodeTest, nvdec_gives_the_pictures_of_software) {
  const Played right = play("force-path=software");
  EXPECT_FALSE(right.is_cuda);
  const Played first = play("force-path=nvdec");
  EXPECT_TRUE(first.is_cuda);
  expect_same(first, right);
  // With the decoder that the first left open.
  const Played second = play("force-path=nvdec");
  EXPECT_EQ(second.reused, 1U);
  EXPECT_EQ(second.opened, 0U);
  expect_same(second, right);
}

TEST_P(DecodeTest, nvdec_gives_them_to_the_host_too) {
  const Played on_host = play("force-path=nvdec", "video/x-raw,format=NV12 ! ");
  EXPECT_FALSE(on_host.is_cuda);
  expect_same(on_host, play("force-path=software"));
}

TEST_P(DecodeTest, software_gives_them_to_the_device_too) {
  const Played on_device =
      play("force-path=software", "video/x-raw(memory:CUDAMemory),format=NV12 ! ");
  EXPECT_TRUE(on_device.is_cuda);
  expect_same(on_device, play("force-path=software"));
}

}  // namespace
}  // namespace nv12slot::gst
