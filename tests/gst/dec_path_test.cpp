// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which path nv12slotdec takes, and how it tells; how late pictures are and which of them it leaves
// out; flushes.
#include "dec_test.h"

namespace nv12slot::gst {
namespace {

using decode::encode;
using decode::Unit;
using standin::control;

class DecChoiceTest : public DecTest {};

const GstStructure* last_path_message(DecHarness& dec) {
  const GstStructure* last = nullptr;
  for (GstMessage* message : dec.messages(GST_MESSAGE_ELEMENT)) {
    if (gst_message_has_name(message, "nv12slotdec-path") != FALSE) {
      last = gst_message_get_structure(message);
    }
  }
  return last;
}

std::string property_path(const DecHarness& dec) {
  GValue value = G_VALUE_INIT;
  g_object_get_property(G_OBJECT(dec.element()), "path", &value);
  const std::string nick = g_enum_get_value(G_ENUM_CLASS(g_type_class_peek(G_VALUE_TYPE(&value))),
                                            g_value_get_enum(&value))
                               ->value_nick;
  g_value_unset(&value);
  return nick;
}

TEST_F(DecChoiceTest, nvdec_is_taken_where_it_can_and_told) {
  NEEDS_STANDIN();
  DecHarness dec("");
  unsigned notified = 0;
  g_signal_connect(dec.element(), "notify::path",
                   G_CALLBACK(+[](GObject*, GParamSpec*, unsigned* count) { ++*count; }),
                   &notified);
  EXPECT_EQ(property_path(dec), "none");
  const std::vector<Unit> units = encode({});
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(units[0]), GST_FLOW_OK);
  EXPECT_EQ(paths_told(dec).size(), 1U) << "with the first unit";
  ASSERT_EQ(dec.push(std::vector<Unit>(units.begin() + 1, units.end())), GST_FLOW_OK);
  const std::vector<Out> out = dec.take();
  ASSERT_EQ(out.size(), 10U);
  EXPECT_TRUE(out[0].is_cuda());
  EXPECT_EQ(property_path(dec), "nvdec");
  EXPECT_EQ(notified, 1U);
  EXPECT_EQ(paths_told(dec), std::vector<std::string>{"nvdec: NVDEC decodes it"});
  const GstStructure* const told = last_path_message(dec);
  int device = -7;
  gboolean reused = TRUE;
  EXPECT_STREQ(gst_structure_get_string(told, "codec"), "h264");
  EXPECT_TRUE(gst_structure_get_int(told, "device", &device));
  EXPECT_EQ(device, 0);
  EXPECT_TRUE(gst_structure_get_boolean(told, "reused", &reused));
  EXPECT_FALSE(reused);
  EXPECT_EQ(dec.stat("decoders-opened"), 1U);
  gst_element_set_state(dec.element(), GST_STATE_READY);
  EXPECT_EQ(property_path(dec), "none");
  EXPECT_EQ(notified, 2U);
}

TEST_F(DecChoiceTest, software_that_was_asked_for_is_taken_on_a_machine_with_nvdec) {
  DecHarness dec("force-path=software max-threads=1");
  const std::vector<Out> out = dec.play(kH264, encode({}));
  ASSERT_EQ(out.size(), 10U);
  EXPECT_FALSE(out[0].is_cuda());
  EXPECT_EQ(property_path(dec), "software");
  EXPECT_EQ(paths_told(dec), std::vector<std::string>{"software: software was asked for"});
  int device = 0;
  EXPECT_TRUE(gst_structure_get_int(last_path_message(dec), "device", &device));
  EXPECT_EQ(device, -1);
  if (has_standin()) {
    EXPECT_EQ(control().calls("cuvidCreateDecoder"), 0U);
  }
}

TEST_F(DecChoiceTest, software_is_taken_without_a_device_and_the_reason_told) {
  DecHarness dec("device=-1 max-threads=1");
  EXPECT_EQ(dec.play(kH264, encode({})).size(), 10U);
  EXPECT_EQ(paths_told(dec),
            std::vector<std::string>{"software: there is no CUDA device, or none was asked for"});
}

TEST_F(DecChoiceTest, software_takes_what_nvdec_does_not_and_says_what) {
  NEEDS_STANDIN();
  DecHarness dec("max-threads=1");
  EXPECT_EQ(dec.play(kH264, encode({.pixels = AV_PIX_FMT_YUV444P})).size(), 10U);
  std::vector<std::string> told = paths_told(dec);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].find("software: "), 0U) << told[0];
  EXPECT_NE(told[0].find("yuv444p"), std::string::npos) << told[0];
  dec.flush();
  EXPECT_EQ(dec.play(kH264, encode({})).size(), 10U);
  told = paths_told(dec);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1], "nvdec: NVDEC decodes it") << "asked again for the new format";
}

TEST_F(DecChoiceTest, nvdec_and_nothing_else_without_a_device_does_not_leave_null) {
  const ObjectPtr<GstBus> bus(gst_bus_new());
  const ObjectPtr<GstElement> element(static_cast<GstElement*>(
      gst_object_ref_sink(gst_parse_launch("nv12slotdec force-path=nvdec device=-1", nullptr))));
  gst_element_set_bus(element.get(), bus.get());
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  GstMessage* const message = gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR);
  ASSERT_NE(message, nullptr);
  GError* error = nullptr;
  gst_message_parse_error(message, &error, nullptr);
  EXPECT_TRUE(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND))
      << error->message;
  g_clear_error(&error);
  gst_message_unref(message);
  gst_element_set_bus(element.get(), nullptr);
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

TEST_F(DecChoiceTest, nvdec_and_nothing_else_ends_where_it_cannot_and_says_what) {
  NEEDS_STANDIN();
  DecHarness dec("force-path=nvdec");
  ASSERT_TRUE(dec.begin(kH264));
  EXPECT_EQ(dec.push(encode({.width = 32, .height = 32})), GST_FLOW_ERROR);
  const std::vector<Problem> errors = problems(dec, GST_MESSAGE_ERROR);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, GST_STREAM_ERROR_NOT_IMPLEMENTED);
  EXPECT_NE(errors[0].debug.find("not 32 x 32"), std::string::npos) << errors[0].debug;
}

// ---- Latency and late pictures ----------------------------------------------------------------

class DecTimeTest : public DecPathTest {
 protected:
  /// In frames.
  static guint64 latency(const DecHarness& dec) {
    const QueryPtr query(gst_query_new_latency());
    EXPECT_TRUE(gst_pad_peer_query(dec.get()->sinkpad, query.get()));
    GstClockTime least = 0;
    gst_query_parse_latency(query.get(), nullptr, &least, nullptr);
    EXPECT_EQ(least % kFrameTime, 0U);
    return least / kFrameTime;
  }
  static void tell_lateness(const DecHarness& dec, GstClockTimeDiff late, GstClockTime at) {
    gst_pad_push_event(dec.get()->sinkpad,
                       gst_event_new_qos(late > 0 ? GST_QOS_TYPE_UNDERFLOW : GST_QOS_TYPE_OVERFLOW,
                                         late > 0 ? 2.0 : 0.5, late, at));
  }
};
ON_EACH_PATH(DecTimeTest);

TEST_P(DecTimeTest, latency_is_by_how_many_pictures_the_stream_reorders) {
  for (const char* options : {"preset=ultrafast,tune=zerolatency", kReordered}) {
    const std::vector<Unit> units = encode({.pictures = 12, .options = options});
    DecHarness dec(on_path());
    EXPECT_EQ(latency(dec), 0U);
    ASSERT_TRUE(dec.begin(kH264));
    ASSERT_EQ(dec.push(units), GST_FLOW_OK);
    const bool is_reordered = options == kReordered;
    EXPECT_EQ(latency(dec) > 0, is_reordered) << latency(dec);
    EXPECT_EQ(latency(dec), 12 - dec.take().size()) << "what it holds back";
    EXPECT_EQ(dec.end(), true);
  }
}

TEST_F(DecChoiceTest, several_pictures_at_once_add_to_the_latency_where_it_may_not_be_low) {
  const std::vector<Unit> units = encode({.pictures = 12});
  const auto held_back = [&](const std::string& settings, bool live, const QueryPtr& query) {
    DecHarness dec("device=-1 max-threads=3 " + settings);
    gst_harness_set_live(dec.get(), live ? TRUE : FALSE);
    EXPECT_TRUE(dec.begin(kH264));
    EXPECT_EQ(dec.push(units), GST_FLOW_OK);
    EXPECT_TRUE(gst_pad_peer_query(dec.get()->sinkpad, query.get()));
    GstClockTime least = 0;
    gst_query_parse_latency(query.get(), nullptr, &least, nullptr);
    const std::size_t held = 12 - dec.take().size();
    EXPECT_EQ(least, held * kFrameTime) << settings;
    return held;
  };
  const auto query = [] { return QueryPtr(gst_query_new_latency()); };
  EXPECT_EQ(held_back("", false, query()), 2U);
  EXPECT_EQ(held_back("low-latency=true", false, query()), 0U);
  EXPECT_EQ(held_back("", true, query()), 0U);
}

// In decoding order 0 3 1 2 6 4 5 9 7 8 12 10 11, each last one of three being a picture that no
// other refers to. The base class forgets QoS events from before the first picture.
constexpr unsigned kUnits = 13;
std::vector<Unit> reordered() {
  return encode({.pictures = kUnits, .options = kReordered});
}

TEST_P(DecTimeTest, late_pictures_are_dropped_and_those_nobody_needs_not_decoded) {
  const std::vector<Unit> units = reordered();
  DecHarness dec(on_path());
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < kUnits; ++i) {
    if (i == 4) tell_lateness(dec, GST_SECOND, kFrameTime);
    ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  }
  EXPECT_TRUE(dec.end());
  const std::vector<Out> out = dec.take();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(GST_BUFFER_PTS(out[1].buffer.get()), kFrameTime);
  EXPECT_EQ(dec.stat("decoded"), kUnits - 3) << "5, 8 and 11 are not";
  EXPECT_EQ(dec.stat("pushed"), 2U);
  EXPECT_EQ(dec.stat("dropped"), kUnits - 2);
  EXPECT_EQ(dec.stat("decode-errors"), 0U);
}

TEST_P(DecTimeTest, pictures_that_are_in_time_again_all_come) {
  const std::vector<Unit> units = reordered();
  DecHarness dec(on_path());
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < kUnits; ++i) {
    if (i == 4) tell_lateness(dec, GST_SECOND, kFrameTime);
    if (i == 7) tell_lateness(dec, -GstClockTimeDiff{kFrameTime}, 3 * kFrameTime);
    ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  }
  EXPECT_TRUE(dec.end());
  const std::vector<Out> out = dec.take();
  ASSERT_GE(out.size(), 7U);
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(GST_BUFFER_PTS(out[out.size() - 1 - i].buffer.get()), (12 - i) * kFrameTime);
  }
  EXPECT_EQ(dec.stat("pushed"), out.size());
  EXPECT_EQ(dec.stat("dropped"), kUnits - out.size());
}

TEST_P(DecTimeTest, no_picture_is_late_without_qos) {
  const std::vector<Unit> units = reordered();
  DecHarness dec(on_path("qos=false"));
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < kUnits; ++i) {
    if (i == 4) tell_lateness(dec, GST_SECOND, kFrameTime);
    ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  }
  EXPECT_TRUE(dec.end());
  EXPECT_EQ(dec.take().size(), kUnits);
  EXPECT_EQ(dec.stat("dropped"), 0U);
}

// ---- Flushes and the next camera --------------------------------------------------------------

TEST_P(DecTimeTest, after_a_flush_the_stream_goes_on_with_what_comes_then) {
  const std::vector<Unit> units = encode({.pictures = 12, .options = kReordered, .textured = true});
  DecHarness dec(on_path());
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(std::vector<Unit>(units.begin(), units.begin() + 7)), GST_FLOW_OK);
  static_cast<void>(dec.take());
  dec.flush();
  ASSERT_EQ(dec.push(units), GST_FLOW_OK);
  EXPECT_TRUE(dec.end());
  const std::vector<Out> out = dec.take();
  ASSERT_EQ(out.size(), 12U);
  const auto right = reference(AV_CODEC_ID_H264, units);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(GST_BUFFER_PTS(out[i].buffer.get()), (7 + i) * kFrameTime) << i;
    EXPECT_TRUE(is_nvdec() || is_same(out[i].read(), right[i])) << i;
  }
  EXPECT_EQ(dec.stat("dropped"), 0U) << "of a picture from before the flush";
  EXPECT_EQ(dec.stat("decode-errors"), 0U);
}

constexpr const char* kSlowCalls[] = {
    "cuvidCreateDecoder", "cuvidDestroyDecoder",     "cuMemAlloc",     "cuMemFree",
    "cuMemAllocPitch",    "cuMemAllocFromPoolAsync", "cuMemFreeAsync", "cuStreamCreateWithPriority",
    "cuStreamDestroy",    "cuCtxSynchronize"};

class DecWarmTest : public DecTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    NEEDS_STANDIN();
    DecTest::SetUp();
  }
  static std::vector<Unit> units() {
    return is_h265() ? encode({.encoder = "libx265",
                               .pictures = 12,
                               .options = "preset=ultrafast,x265-params=log-level=none:pools=none"})
                     : encode({.pictures = 12, .options = kReordered});
  }
  static bool is_h265() { return std::string(GetParam()) == "h265"; }
  static const char* caps() { return is_h265() ? kH265 : kH264; }
};
INSTANTIATE_TEST_SUITE_P(Of, DecWarmTest, testing::Values("h264", "h265"),
                         [](const auto& codec) { return std::string(codec.param); });

TEST_P(DecWarmTest, flushes_and_cameras_that_come_back_open_allocate_and_free_nothing) {
  const std::vector<Unit> stream = units();
  {
    DecHarness warm_up("");
    EXPECT_EQ(warm_up.play(caps(), stream).size(), 12U);
  }
  control().reset();
  for (int camera = 0; camera < 3; ++camera) {
    DecHarness dec("");
    ASSERT_TRUE(dec.begin(caps()));
    ASSERT_EQ(dec.push(std::vector<Unit>(stream.begin(), stream.begin() + 7)), GST_FLOW_OK);
    static_cast<void>(dec.take());
    dec.flush();
    ASSERT_EQ(dec.push(stream), GST_FLOW_OK);
    EXPECT_TRUE(dec.end());
    EXPECT_EQ(dec.take().size(), 12U);
    EXPECT_EQ(dec.stat("decoders-opened"), 0U);
    EXPECT_EQ(dec.stat("decoders-reused"), 1U);
  }
  for (const char* call : kSlowCalls) EXPECT_EQ(control().calls(call), 0U) << call;
}

// FFmpeg must be flushed for a stream that begins with a recovery point, and closes NVDEC then.
TEST_F(DecChoiceTest, a_warm_decoder_that_is_opened_anew_counts_as_opened) {
  NEEDS_STANDIN();
  const std::vector<Unit> units =
      encode({.pictures = 18,
              .options = "preset=ultrafast,x264-params=keyint=6:min-keyint=6:open-gop=1:bframes=2:"
                         "b-adapt=0:scenecut=0"});
  std::size_t first = 1;
  while (first < units.size() && !units[first].is_key) ++first;
  ASSERT_LT(first, units.size());
  {
    DecHarness before("");
    EXPECT_EQ(before.play(kH264, units).size(), 18U);
  }
  control().reset();
  DecHarness dec("");
  ASSERT_TRUE(dec.begin(kH264));
  for (std::size_t i = first; i < units.size(); ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  EXPECT_TRUE(dec.end());
  EXPECT_GT(dec.take().size(), 6U);
  EXPECT_EQ(control().calls("cuvidCreateDecoder"), 1U);
  EXPECT_EQ(dec.stat("decoders-opened"), 1U);
  EXPECT_EQ(dec.stat("decoders-reused"), 0U);
  gboolean reused = TRUE;
  ASSERT_EQ(paths_told(dec).size(), 1U);
  EXPECT_TRUE(gst_structure_get_boolean(last_path_message(dec), "reused", &reused));
  EXPECT_FALSE(reused);
}

}  // namespace
}  // namespace nv12slot::gst
