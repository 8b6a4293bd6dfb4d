// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nv12slotdec where something is missing or breaks: slots, surfaces, the device, the data.
#include <thread>

#include "dec_test.h"

namespace nv12slot::gst {
namespace {

using decode::encode;
using decode::Unit;
using standin::control;

// Numbers of cuda.h, which a build without CUDA has not.
constexpr int kCudaOutOfMemory = 2;
constexpr int kCudaIllegalAddress = 700;

const Unit kDamaged{{0, 0, 1, 0x65, 0xff, 0xff, 0xff, 0xff}, 0, true};

/// Pictures each of which can be decoded by itself.
std::vector<Unit> intra(int pictures = 10) {
  return encode({.pictures = pictures, .options = kIntra, .textured = true});
}

/// Units of the access units there still are.
std::size_t pending_frames(const DecHarness& dec) {
  GList* const frames = gst_video_decoder_get_frames(GST_VIDEO_DECODER(dec.element()));
  const std::size_t count = g_list_length(frames);
  g_list_free_full(frames, reinterpret_cast<GDestroyNotify>(gst_video_codec_frame_unref));
  return count;
}

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 20000 && !condition(); ++i) g_usleep(500);
  return condition();
}

// ---- No slot ----------------------------------------------------------------------------------

class DecExhaustionTest : public DecPathTest {
 protected:
  /// Whether the `number`-th picture of `units` is shown right.
  static testing::AssertionResult is_right(const Out& out, const std::vector<Unit>& units,
                                           unsigned number) {
    return is_same(out.read(), is_nvdec() ? standin_picture(number, out.width(), out.height())
                                          : reference(AV_CODEC_ID_H264, units).at(number));
  }
};
ON_EACH_PATH(DecExhaustionTest);

TEST_P(DecExhaustionTest, drop_loses_the_pictures_that_find_no_slot_and_goes_on) {
  const std::vector<Unit> units = intra();
  DecHarness dec(on_path("quota=2 on-exhausted=drop"));
  ASSERT_TRUE(dec.begin(kH264));
  for (int i = 0; i < 5; ++i) ASSERT_EQ(dec.push(units[static_cast<unsigned>(i)]), GST_FLOW_OK);
  std::vector<Out> out = dec.take();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(dec.stat("decoded"), 5U);
  EXPECT_EQ(dec.stat("pushed"), 2U);
  EXPECT_EQ(dec.stat("exhausted"), 3U);
  EXPECT_EQ(dec.stat("dropped"), 3U);
  EXPECT_EQ(pending_frames(dec), 0U);
  EXPECT_TRUE(is_right(out[1], units, 1)) << "what is held stays as it is";
  out.clear();
  ASSERT_EQ(dec.push(units[5]), GST_FLOW_OK);
  ASSERT_EQ(dec.push(units[6]), GST_FLOW_OK);
  out = dec.take();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_TRUE(is_right(out[0], units, 5));
  EXPECT_TRUE(out[0].has(GST_BUFFER_FLAG_DISCONT));
  EXPECT_FALSE(out[1].has(GST_BUFFER_FLAG_DISCONT));
}

TEST_P(DecExhaustionTest, block_waits_for_a_slot_until_the_time_out) {
  const std::vector<Unit> units = intra();
  DecHarness dec(on_path("quota=1 on-exhausted=block timeout=20000000"));
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(units[0]), GST_FLOW_OK);
  const gint64 start = g_get_monotonic_time();
  ASSERT_EQ(dec.push(units[1]), GST_FLOW_OK);
  EXPECT_GE(g_get_monotonic_time() - start, 20000);
  EXPECT_EQ(dec.stat("exhausted"), 1U);
  EXPECT_EQ(dec.take().size(), 1U);
}

TEST_P(DecExhaustionTest, block_goes_on_with_the_slot_that_a_reader_gives_back) {
  const std::vector<Unit> units = intra();
  DecHarness dec(on_path("quota=1 on-exhausted=block timeout=60000000000"));
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(units[0]), GST_FLOW_OK);
  std::vector<Out> held = dec.take();
  ASSERT_EQ(held.size(), 1U);
  std::thread camera([&] { EXPECT_EQ(dec.push(units[1]), GST_FLOW_OK); });
  EXPECT_TRUE(eventually([&] { return dec.stat("decoded") == 2; }));
  EXPECT_EQ(dec.take().size(), 0U);
  held.clear();
  camera.join();
  held = dec.take();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_TRUE(is_right(held[0], units, 1));
  EXPECT_EQ(dec.stat("exhausted"), 0U);
}

TEST_P(DecExhaustionTest, a_flush_ends_the_wait_for_a_slot) {
  const std::vector<Unit> units = intra();
  DecHarness dec(on_path("quota=1 on-exhausted=block timeout=60000000000"));
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(units[0]), GST_FLOW_OK);
  std::thread camera([&] { EXPECT_EQ(dec.push(units[1]), GST_FLOW_FLUSHING); });
  EXPECT_TRUE(eventually([&] { return dec.stat("decoded") == 2; }));
  gst_harness_push_event(dec.get(), gst_event_new_flush_start());
  camera.join();
  gst_harness_push_event(dec.get(), gst_event_new_flush_stop(TRUE));
}

class DecNvdecFaultTest : public DecTest {
 protected:
  void SetUp() override {
    NEEDS_STANDIN();
    DecTest::SetUp();
  }
};

TEST_F(DecNvdecFaultTest, without_a_slot_of_the_device_pictures_go_to_the_host_and_back) {
  const std::vector<Unit> units = intra();
  DecHarness dec("quota=2 on-exhausted=host");
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < 5; ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  std::vector<Out> out = dec.take();
  ASSERT_EQ(out.size(), 4U);
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(out[i].is_cuda(), i < 2) << i;
    EXPECT_TRUE(is_same(out[i].read(), standin_picture(i, 64, 64))) << i;
  }
  EXPECT_EQ(dec.stat("host-fallbacks"), 2U);
  EXPECT_EQ(dec.stat("exhausted"), 1U) << "the host's quota is used up too";
  out.clear();
  ASSERT_EQ(dec.push(units[5]), GST_FLOW_OK);
  out = dec.take();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_TRUE(out[0].is_cuda());
  EXPECT_TRUE(is_same(out[0].read(), standin_picture(5, 64, 64)));
}

TEST_F(DecNvdecFaultTest, host_drops_where_downstream_takes_none_and_says_so_once) {
  const std::vector<Unit> units = intra();
  DecHarness dec("quota=2 on-exhausted=host", "video/x-raw(memory:CUDAMemory),format=NV12");
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < 5; ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  EXPECT_EQ(dec.take().size(), 2U);
  EXPECT_EQ(dec.stat("exhausted"), 3U);
  EXPECT_EQ(dec.stat("host-fallbacks"), 0U);
  const std::vector<Problem> warnings = problems(dec, GST_MESSAGE_WARNING);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, GST_RESOURCE_ERROR_NO_SPACE_LEFT);
}

// ---- The decoder or its device ----------------------------------------------------------------

TEST_F(DecNvdecFaultTest, software_decodes_every_picture_where_nvdec_cannot_be_opened) {
  const std::vector<Unit> units = encode({.pictures = 12, .options = kReordered, .textured = true});
  control().fail("cuvidCreateDecoder", kCudaOutOfMemory, 0, -1);
  DecHarness dec("max-threads=1");
  const std::vector<Out> out = dec.play(kH264, units);
  const auto right = reference(AV_CODEC_ID_H264, units);
  ASSERT_EQ(out.size(), 12U);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_FALSE(out[i].is_cuda());
    EXPECT_TRUE(is_same(out[i].read(), right[i])) << i;
  }
  EXPECT_EQ(dec.path(), "software");
  const std::vector<std::string> told = paths_told(dec);
  ASSERT_EQ(told.size(), 1U) << "one that was refused did not decode";
  EXPECT_EQ(told[0].find("software: NVDEC could not be opened"), 0U) << told[0];
  EXPECT_EQ(dec.stat("decode-errors"), 0U);
  EXPECT_TRUE(problems(dec, GST_MESSAGE_ERROR).empty());
}

TEST_F(DecNvdecFaultTest,
       nvdec_and_nothing_else_that_cannot_be_opened_is_an_error_with_the_reason) {
  control().fail("cuvidCreateDecoder", kCudaOutOfMemory, 0, -1);
  DecHarness dec("force-path=nvdec");
  ASSERT_TRUE(dec.begin(kH264));
  EXPECT_EQ(dec.push(intra(2)), GST_FLOW_ERROR);
  const std::vector<Problem> errors = problems(dec, GST_MESSAGE_ERROR);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].domain, GST_STREAM_ERROR);
  EXPECT_EQ(errors[0].code, GST_STREAM_ERROR_NOT_IMPLEMENTED);
  EXPECT_NE(errors[0].debug.find("NVDEC could not be opened"), std::string::npos)
      << errors[0].debug;
  EXPECT_TRUE(dec.take().empty());
}

/// How the device fails while it decodes the fourth picture.
struct Loss {
  const char* name;
  void (*fail)();
};
void PrintTo(const Loss& loss, std::ostream* out) {
  *out << loss.name;
}

class DecLossTest : public DecNvdecFaultTest, public testing::WithParamInterface<Loss> {};
INSTANTIATE_TEST_SUITE_P(
    Of, DecLossTest,
    testing::Values(
        Loss{"everything", [] { control().stick(kDevice, nullptr, kCudaIllegalAddress); }},
        Loss{"decoding",
             [] { control().fail_operation("cuvidDecodePicture", kCudaIllegalAddress, 0, 1); }},
        Loss{"the_copy",
             [] { control().fail_operation("cuLaunchKernel", kCudaIllegalAddress, 0, 1); }}),
    [](const auto& loss) { return std::string(loss.param.name); });

TEST_P(DecLossTest, software_goes_on_and_frames_that_are_out_stay_what_they_are) {
  const std::vector<Unit> units = intra();
  const auto right = reference(AV_CODEC_ID_H264, units);
  DecHarness dec("max-threads=1");
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < 3; ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  const std::vector<Out> before = dec.take();
  ASSERT_EQ(before.size(), 3U);
  GetParam().fail();
  for (unsigned i = 3; i < 10; ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK) << i;
  const std::vector<Out> after = dec.take();
  // Of which picture the device is found lost depends on how it fails.
  ASSERT_GE(after.size(), 5U);
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_FALSE(after[i].is_cuda());
    EXPECT_TRUE(is_same(after[i].read(), right[10 - after.size() + i])) << i;
  }
  EXPECT_TRUE(after[0].has(GST_BUFFER_FLAG_DISCONT));
  EXPECT_EQ(dec.path(), "software");
  const std::vector<Problem> warnings = problems(dec, GST_MESSAGE_WARNING);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].domain, GST_RESOURCE_ERROR);
  EXPECT_EQ(warnings[0].code, GST_RESOURCE_ERROR_FAILED);
  EXPECT_TRUE(problems(dec, GST_MESSAGE_ERROR).empty());
  const std::vector<std::string> told = paths_told(dec);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].find("software: the CUDA device has failed"), 0U) << told[1];
  EXPECT_TRUE(dec.asked_for_key_unit());

  DecHarness other("force-path=software device=-1 max-threads=1");
  EXPECT_EQ(other.play(kH264, units).size(), 10U) << "while the device is lost";

  control().stick(kDevice, nullptr, 0);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_TRUE(before[i].is_cuda());
    EXPECT_TRUE(is_same(before[i].read(), standin_picture(i, 64, 64))) << i;
  }
}

TEST_P(DecLossTest, frames_of_the_host_stay_readable_while_it_is_lost) {
  const std::vector<Unit> units = intra();
  DecHarness dec("max-threads=1", "video/x-raw,format=NV12");
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < 3; ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  GetParam().fail();
  ASSERT_EQ(dec.push(units[3]), GST_FLOW_OK);
  const std::vector<Out> before = dec.take();
  ASSERT_GE(before.size(), 3U);
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_TRUE(is_same(before[i].read(), standin_picture(i, 64, 64))) << i;
  }
}

TEST_P(DecLossTest, nvdec_and_nothing_else_ends_with_an_error) {
  const std::vector<Unit> units = intra();
  DecHarness dec("force-path=nvdec");
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < 3; ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  GetParam().fail();
  GstFlowReturn flow = GST_FLOW_OK;
  for (unsigned i = 3; i < 10 && flow == GST_FLOW_OK; ++i) flow = dec.push(units[i]);
  EXPECT_EQ(flow, GST_FLOW_ERROR);
  const std::vector<Problem> errors = problems(dec, GST_MESSAGE_ERROR);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].domain, GST_RESOURCE_ERROR);
  EXPECT_EQ(errors[0].code, GST_RESOURCE_ERROR_FAILED);
  EXPECT_NE(errors[0].debug.find("ILLEGAL_ADDRESS"), std::string::npos) << errors[0].debug;
}

TEST_P(DecLossTest, where_downstream_takes_cuda_memory_only_it_ends_with_an_error) {
  const std::vector<Unit> units = intra();
  DecHarness dec("max-threads=1", "video/x-raw(memory:CUDAMemory),format=NV12");
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned i = 0; i < 3; ++i) ASSERT_EQ(dec.push(units[i]), GST_FLOW_OK);
  GetParam().fail();
  GstFlowReturn flow = GST_FLOW_OK;
  for (unsigned i = 3; i < 10 && flow == GST_FLOW_OK; ++i) flow = dec.push(units[i]);
  EXPECT_EQ(flow, GST_FLOW_ERROR);
  const std::vector<Problem> errors = problems(dec, GST_MESSAGE_ERROR);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].text, "CUDA device 0 has failed.");
}

TEST_F(DecNvdecFaultTest, a_device_that_came_back_decodes_again_after_a_restart) {
  const std::vector<Unit> units = intra();
  DecHarness dec("max-threads=1");
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(units[0]), GST_FLOW_OK);
  control().stick(kDevice, nullptr, kCudaIllegalAddress);
  ASSERT_EQ(dec.push(units[1]), GST_FLOW_OK);
  ASSERT_EQ(dec.push(units[2]), GST_FLOW_OK);
  EXPECT_EQ(dec.path(), "software");
  control().stick(kDevice, nullptr, 0);
  ASSERT_EQ(dec.push(units[3]), GST_FLOW_OK);
  EXPECT_EQ(dec.path(), "software");
  gst_element_set_state(dec.element(), GST_STATE_READY);
  gst_element_set_state(dec.element(), GST_STATE_PLAYING);
  static_cast<void>(dec.take());
  EXPECT_EQ(dec.play(kH264, units).size(), 10U);
  EXPECT_EQ(dec.path(), "nvdec");
}

// ---- Damaged data -----------------------------------------------------------------------------

class DecDamageTest : public DecPathTest {};
ON_EACH_PATH(DecDamageTest);

TEST_P(DecDamageTest, damaged_units_never_end_the_stream_by_themselves) {
  const std::vector<Unit> units = intra();
  DecHarness dec(on_path());
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(units[0]), GST_FLOW_OK);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(dec.push(kDamaged), GST_FLOW_OK) << i;
  EXPECT_EQ(pending_frames(dec), 0U) << "no picture of theirs comes any more";
  EXPECT_TRUE(dec.asked_for_key_unit());
  ASSERT_EQ(dec.push(units[1]), GST_FLOW_OK);
  ASSERT_EQ(dec.push(units[2]), GST_FLOW_OK);
  const std::vector<Out> out = dec.take();
  ASSERT_EQ(out.size(), 3U);
  EXPECT_TRUE(out[1].has(GST_BUFFER_FLAG_DISCONT));
  EXPECT_FALSE(out[2].has(GST_BUFFER_FLAG_DISCONT));
  EXPECT_EQ(dec.stat("frames"), 103U);
  EXPECT_EQ(dec.stat("decode-errors"), 100U);
  EXPECT_EQ(dec.stat("no-surface"), 0U);
  EXPECT_EQ(dec.stat("dropped"), 0U) << "each is counted once";
  EXPECT_TRUE(problems(dec, GST_MESSAGE_ERROR).empty());
}

TEST_P(DecDamageTest, more_damaged_units_in_a_row_than_max_errors_end_the_stream) {
  const std::vector<Unit> units = intra();
  DecHarness dec(on_path("max-errors=3"));
  ASSERT_TRUE(dec.begin(kH264));
  for (unsigned round = 0; round < 3; ++round) {
    ASSERT_EQ(dec.push(units[round]), GST_FLOW_OK);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(dec.push(kDamaged), GST_FLOW_OK) << round << ", " << i;
  }
  EXPECT_TRUE(problems(dec, GST_MESSAGE_ERROR).empty());
  EXPECT_EQ(dec.push(kDamaged), GST_FLOW_ERROR);
  const std::vector<Problem> errors = problems(dec, GST_MESSAGE_ERROR);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].domain, GST_STREAM_ERROR);
  EXPECT_EQ(errors[0].code, GST_STREAM_ERROR_DECODE);
  EXPECT_EQ(dec.stat("decode-errors"), 10U);
}

TEST_P(DecDamageTest, an_empty_unit_is_one_that_is_damaged) {
  const std::vector<Unit> units = intra();
  DecHarness dec(on_path());
  ASSERT_TRUE(dec.begin(kH264));
  ASSERT_EQ(dec.push(units[0]), GST_FLOW_OK);
  ASSERT_EQ(dec.push(Unit{{}, 0, true}), GST_FLOW_OK);
  ASSERT_EQ(dec.push(units[1]), GST_FLOW_OK);
  EXPECT_EQ(dec.take().size(), 2U);
  EXPECT_EQ(dec.stat("decode-errors"), 1U);
}

// In software: what NVDEC finds in a picture it conceals without a word.
class DecSoftwareDamageTest : public DecTest {
 protected:
  static constexpr const char* kSoftware = "force-path=software device=-1 max-threads=1 ";
  /// The fifth of eight pictures has damage in its slice; those after it refer to it.
  static std::vector<Unit> with_a_damaged_picture() {
    std::vector<Unit> units =
        encode({.pictures = 8, .options = "preset=ultrafast,tune=zerolatency", .textured = true});
    std::vector<std::uint8_t>& data = units[4].data;
    for (std::size_t i = data.size() / 2; i < data.size() / 2 + 8; ++i) data[i] ^= 0x5a;
    return units;
  }
};

TEST_F(DecSoftwareDamageTest, a_picture_that_is_known_to_be_damaged_is_marked_and_counted) {
  DecHarness dec(kSoftware);
  const std::vector<Out> out = dec.play(kH264, with_a_damaged_picture());
  ASSERT_EQ(out.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(out[i].has(GST_BUFFER_FLAG_CORRUPTED), i == 4) << i;
  }
  EXPECT_EQ(dec.stat("corrupted"), 1U);
  EXPECT_EQ(dec.stat("pushed"), 8U);
}

TEST_F(DecSoftwareDamageTest, discard_corrupted_frames_keeps_a_damaged_picture_back_and_counts_it) {
  DecHarness dec(std::string(kSoftware) + "discard-corrupted-frames=true");
  const std::vector<Out> out = dec.play(kH264, with_a_damaged_picture());
  ASSERT_EQ(out.size(), 7U);
  for (const Out& each : out) {
    EXPECT_FALSE(each.has(GST_BUFFER_FLAG_CORRUPTED));
    EXPECT_NE(GST_BUFFER_PTS(each.buffer.get()), 4 * kFrameTime);
  }
  EXPECT_EQ(dec.stat("corrupted"), 1U);
}

}  // namespace
}  // namespace nv12slot::gst
