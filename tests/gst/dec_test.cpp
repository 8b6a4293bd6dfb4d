// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dec_test.h"

#include <algorithm>

namespace nv12slot::gst {

using decode::FramePtr;
using decode::PacketPtr;
using decode::Unit;

// ---- What came out ----------------------------------------------------------------------------

std::string Out::text(const char* field) const {
  const gchar* const value = gst_structure_get_string(gst_caps_get_structure(caps.get(), 0), field);
  return value != nullptr ? value : "";
}

int Out::number(const char* field) const {
  int value = 0;
  gst_structure_get_int(gst_caps_get_structure(caps.get(), 0), field, &value);
  return value;
}

bool Out::is_cuda() const {
  return gst_caps_features_contains(gst_caps_get_features(caps.get(), 0), "memory:CUDAMemory") !=
         FALSE;
}

// ---- The element ------------------------------------------------------------------------------

DecHarness::DecHarness(const std::string& properties, const char* sink_caps) : bus_(gst_bus_new()) {
  const ObjectPtr<GstElement> element(static_cast<GstElement*>(
      gst_object_ref_sink(gst_parse_launch(("nv12slotdec " + properties).c_str(), nullptr))));
  gst_element_set_bus(element.get(), bus_.get());
  harness_ = gst_harness_new_with_element(element.get(), "sink", "src");
  gst_harness_set_live(harness_, FALSE);
  if (sink_caps != nullptr) gst_harness_set_sink_caps_str(harness_, sink_caps);
  gst_harness_set_drop_buffers(harness_, TRUE);
  const ObjectPtr<GstPad> src(gst_element_get_static_pad(element.get(), "src"));
  gst_pad_add_probe(src.get(), GST_PAD_PROBE_TYPE_BUFFER, &DecHarness::on_data, this, nullptr);
  gst_harness_play(harness_);
}

DecHarness::~DecHarness() {
  static_cast<void>(take());
  gst_element_set_bus(harness_->element, nullptr);
  gst_harness_teardown(harness_);
  for (GstMessage* message : messages_) gst_message_unref(message);
}

GstPadProbeReturn DecHarness::on_data(GstPad* pad, GstPadProbeInfo* info, gpointer self) {
  auto* dec = static_cast<DecHarness*>(self);
  Out out{BufferPtr(gst_buffer_ref(GST_PAD_PROBE_INFO_BUFFER(info))),
          CapsPtr(gst_pad_get_current_caps(pad))};
  const std::lock_guard lock(dec->mutex_);
  dec->out_.push_back(std::move(out));
  return GST_PAD_PROBE_OK;
}

bool DecHarness::begin(const char* caps) {
  gst_harness_push_event(harness_, gst_event_new_stream_start("test"));
  const CapsPtr parsed(gst_caps_from_string(caps));
  const bool taken = gst_harness_push_event(harness_, gst_event_new_caps(parsed.get())) != FALSE;
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_, gst_event_new_segment(&segment));
  return taken;
}

GstFlowReturn DecHarness::push(const Unit& unit) {
  BufferPtr buffer(gst_buffer_new_allocate(nullptr, unit.data.size(), nullptr));
  gst_buffer_fill(buffer.get(), 0, unit.data.data(), unit.data.size());
  GST_BUFFER_PTS(buffer.get()) = first_pts_ + static_cast<GstClockTime>(unit.pts) * kFrameTime;
  GST_BUFFER_DURATION(buffer.get()) = kFrameTime;
  if (!unit.is_key) GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DELTA_UNIT);
  return gst_harness_push(harness_, buffer.release());
}

GstFlowReturn DecHarness::push(const std::vector<Unit>& units) {
  std::int64_t last = -1;
  for (const Unit& unit : units) {
    last = std::max(last, unit.pts);
    if (const GstFlowReturn flow = push(unit); flow != GST_FLOW_OK) return flow;
  }
  first_pts_ += static_cast<GstClockTime>(last + 1) * kFrameTime;
  return GST_FLOW_OK;
}

void DecHarness::flush() {
  gst_harness_push_event(harness_, gst_event_new_flush_start());
  gst_harness_push_event(harness_, gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness_, gst_event_new_segment(&segment));
}

std::vector<Out> DecHarness::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(out_, {});
}

std::vector<Out> DecHarness::play(const char* caps, const std::vector<Unit>& units) {
  EXPECT_TRUE(begin(caps));
  EXPECT_EQ(push(units), GST_FLOW_OK);
  EXPECT_TRUE(end());
  return take();
}

std::vector<GstMessage*> DecHarness::messages(GstMessageType type) {
  while (GstMessage* message = gst_bus_pop(bus_.get())) messages_.push_back(message);
  std::vector<GstMessage*> found;
  for (GstMessage* message : messages_) {
    if (GST_MESSAGE_TYPE(message) == type) found.push_back(message);
  }
  return found;
}

bool DecHarness::asked_for_key_unit() {
  bool asked = false;
  while (GstEvent* event = gst_harness_try_pull_upstream_event(harness_)) {
    asked = asked || gst_video_event_is_force_key_unit(event) != FALSE;
    gst_event_unref(event);
  }
  return asked;
}

std::vector<std::string> paths_told(DecHarness& dec) {
  std::vector<std::string> told;
  for (GstMessage* message : dec.messages(GST_MESSAGE_ELEMENT)) {
    if (gst_message_has_name(message, "nv12slotdec-path") == FALSE) continue;
    const GstStructure* const structure = gst_message_get_structure(message);
    told.push_back(std::string(gst_structure_get_string(structure, "path")) + ": " +
                   gst_structure_get_string(structure, "why"));
  }
  return told;
}

std::vector<Problem> problems(DecHarness& dec, GstMessageType type) {
  std::vector<Problem> found;
  for (GstMessage* message : dec.messages(type)) {
    GError* error = nullptr;
    gchar* debug = nullptr;
    if (type == GST_MESSAGE_ERROR) {
      gst_message_parse_error(message, &error, &debug);
    } else {
      gst_message_parse_warning(message, &error, &debug);
    }
    found.push_back({error->domain, error->code, error->message, debug != nullptr ? debug : ""});
    g_clear_error(&error);
    g_free(debug);
  }
  return found;
}

// ---- What is right ----------------------------------------------------------------------------

namespace {

std::vector<std::uint8_t> to_nv12(const AVFrame& frame) {
  const AVPixFmtDescriptor& format = *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const int depth = format.comp[0].depth;
  const auto sample = [&](int plane, int row, int x) {
    const std::uint8_t* const line =
        frame.data[plane] + static_cast<std::ptrdiff_t>(row) * frame.linesize[plane];
    if (depth == 8) return line[x];
    const int value = reinterpret_cast<const std::uint16_t*>(line)[x];
    const int half = 1 << (depth - 9);
    return static_cast<std::uint8_t>(std::min((value + half) >> (depth - 8), 255));
  };
  std::vector<std::uint8_t> bytes;
  for (int row = 0; row < frame.height; ++row) {
    for (int x = 0; x < frame.width; ++x) bytes.push_back(sample(0, row, x));
  }
  for (int row = 0; row < frame.height / 2; ++row) {
    for (int x = 0; x < frame.width; ++x) bytes.push_back(sample(1 + x % 2, row, x / 2));
  }
  return bytes;
}

}  // namespace

std::vector<std::vector<std::uint8_t>> reference(AVCodecID codec, const std::vector<Unit>& units) {
  const decode::CodecContextPtr context(avcodec_alloc_context3(avcodec_find_decoder(codec)));
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_UNALIGNED;
  std::vector<std::vector<std::uint8_t>> pictures;
  EXPECT_GE(avcodec_open2(context.get(), nullptr, nullptr), 0);
  const auto receive = [&] {
    const FramePtr frame(av_frame_alloc());
    while (avcodec_receive_frame(context.get(), frame.get()) >= 0) {
      pictures.push_back(to_nv12(*frame));
    }
  };
  for (const Unit& unit : units) {
    const PacketPtr packet(av_packet_alloc());
    EXPECT_GE(av_new_packet(packet.get(), static_cast<int>(unit.data.size())), 0);
    std::copy(unit.data.begin(), unit.data.end(), packet->data);
    EXPECT_GE(avcodec_send_packet(context.get(), packet.get()), 0);
    receive();
  }
  avcodec_send_packet(context.get(), nullptr);
  receive();
  return pictures;
}

std::vector<std::uint8_t> standin_picture(unsigned number, int width, int height, unsigned left,
                                          unsigned top, bool is_wide) {
  std::vector<std::uint8_t> bytes;
  const auto columns = static_cast<unsigned>(width);
  const auto rows = static_cast<unsigned>(height);
  const auto narrow = [&](std::uint8_t high, unsigned x, unsigned y) {
    const unsigned low = is_wide ? standin_fraction(number, x, y) : 0;
    return static_cast<std::uint8_t>(std::min((high * 256U + low + 128) >> 8, 255U));
  };
  for (unsigned row = 0; row < rows; ++row) {
    for (unsigned x = 0; x < columns; ++x) {
      bytes.push_back(narrow(standin_luma(number, left + x, top + row), left + x, top + row));
    }
  }
  for (unsigned row = 0; row < rows / 2; ++row) {
    for (unsigned x = 0; x < columns; ++x) {
      bytes.push_back(
          narrow(standin_chroma(number, left + x, top / 2 + row), left + x, top / 2 + row));
    }
  }
  return bytes;
}

testing::AssertionResult is_same(const std::vector<std::uint8_t>& shown,
                                 const std::vector<std::uint8_t>& right) {
  if (shown == right) return testing::AssertionSuccess();
  if (shown.size() != right.size()) {
    return testing::AssertionFailure() << shown.size() << " bytes instead of " << right.size();
  }
  const auto at = std::mismatch(shown.begin(), shown.end(), right.begin());
  return testing::AssertionFailure() << "byte " << at.first - shown.begin() << " is "
                                     << int{*at.first} << " instead of " << int{*at.second};
}

void close_warm_decoders() {
  const ObjectPtr<GstElement> element(static_cast<GstElement*>(
      gst_object_ref_sink(gst_element_factory_make("nv12slotdec", nullptr))));
  g_object_set(element.get(), "decoder-cache-cap", 0U, nullptr);
  const auto is_closing = [&] {
    return stat(element.get(), "cache-closing") + stat(element.get(), "cache-parked") > 0;
  };
  for (int i = 0; i < 5000 && is_closing(); ++i) g_usleep(1000);
  EXPECT_FALSE(is_closing());
  g_object_set(element.get(), "decoder-cache-cap", 16U, nullptr);
}

// ---- Fixtures ---------------------------------------------------------------------------------

void DecTest::SetUp() {
  if (!decode::has_encoder("libx264")) GTEST_SKIP() << "this FFmpeg has no encoder libx264";
  reset_pool();
  close_warm_decoders();
  // A device that was lost leaves slots that are never used again.
  SlotPool& pool = *Process::get().pool;
  ASSERT_TRUE(pool.set_cap(64 + pool.stats(kDevice).quarantined));
  if (!has_standin()) return;
  standin::control().reset();
  ASSERT_NE(gst_nv12_slot_cuda_context(kDevice), nullptr);
}

void DecTest::TearDown() {
  if (IsSkipped() || !has_standin()) return;
  EXPECT_EQ(standin::control().hazards(), 0U) << standin::control().last_hazard();
  standin::control().reset();
  EXPECT_TRUE(comes_to_be_unused(kDevice)) << "a reference was leaked";
}

void DecPathTest::SetUp() {
  if (is_nvdec()) NEEDS_STANDIN();
  DecTest::SetUp();
}

std::string DecPathTest::on_path(const std::string& more) {
  const std::string path =
      is_nvdec() ? "force-path=nvdec device=0" : "force-path=software device=-1 max-threads=1";
  return path + " " + more;
}

}  // namespace nv12slot::gst
