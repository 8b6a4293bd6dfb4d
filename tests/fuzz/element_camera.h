// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "../gst/gst_test.h"
#include "seeds.h"

namespace nv12slot::fuzz {

/// What an element is given, and what is downstream of it.
struct Kind {
  const char* properties;
  const char* sink_caps;  // nullptr: takes everything
  bool readers_wait;      // downstream promises to wait for frames, so that copies may be pending
};

inline constexpr std::array kKinds = {
    Kind{"max-threads=1", nullptr, false},
    Kind{"max-threads=1", nullptr, true},
    Kind{"max-threads=1 low-latency=true", "video/x-raw,format=NV12", false},
    Kind{"max-threads=2", nullptr, true},
    Kind{"max-threads=1 on-exhausted=host",
         "video/x-raw(memory:CUDAMemory),format=NV12;"
         "video/x-raw,format=NV12",
         true},
    Kind{"force-path=software", nullptr, false},
};

/// nv12slotdec between two pads, which plays one stream after the other. One thread.
class Camera {
 public:
  explicit Camera(const Kind& kind) : kind_(kind) {}
  ~Camera() { destroy(); }
  Camera(const Camera&) = delete;
  Camera& operator=(const Camera&) = delete;

  void destroy() {
    held_.clear();
    if (harness_ != nullptr) gst_harness_teardown(std::exchange(harness_, nullptr));
  }

  /// What comes before a stream. False where the caps are not taken.
  bool begin(const std::string& caps) {
    if (harness_ == nullptr) create();
    push(gst_event_new_stream_start("fuzz"));
    const gst::CapsPtr parsed(gst_caps_from_string(caps.c_str()));
    const bool taken = push(gst_event_new_caps(parsed.get()));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    push(gst_event_new_segment(&segment));
    return taken;
  }

  GstFlowReturn push(const Packet& packet, gst::BufferPtr buffer) {
    GST_BUFFER_PTS(buffer.get()) = packet.pts;
    GST_BUFFER_DTS(buffer.get()) = packet.dts;
    if (packet.is_delta) GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DELTA_UNIT);
    const GstFlowReturn result = gst_harness_push(harness_, buffer.release());
    pull();
    return result;
  }
  bool push(GstEvent* event) {
    const bool done = gst_pad_push_event(harness_->srcpad, event) != FALSE;
    pull();
    return done;
  }
  void flush() {
    push(gst_event_new_flush_start());
    push(gst_event_new_flush_stop(TRUE));
  }
  void restart() {
    gst_element_set_state(harness_->element, GST_STATE_READY);
    pull();
    gst_element_set_state(harness_->element, GST_STATE_PLAYING);
  }

  /// Pictures that come out while a good stream is played to its end.
  unsigned play_good(const Seed& seed) {
    const unsigned before = pictures_;
    begin(seed.caps);
    // In time again, whatever downstream said while the last one played.
    gst_pad_push_event(harness_->sinkpad,
                       gst_event_new_qos(GST_QOS_TYPE_OVERFLOW, 0.5, 0, GST_CLOCK_TIME_NONE));
    for (const Packet& packet : seed.packets) {
      EXPECT_EQ(push(packet, make(packet.bytes)), GST_FLOW_OK);
    }
    push(gst_event_new_eos());
    const unsigned good = pictures_ - before;
    flush();
    return good;
  }

  [[nodiscard]] GstHarness* harness() const { return harness_; }
  void reconfigure() { gst_pad_push_event(harness_->sinkpad, gst_event_new_reconfigure()); }
  /// Frames that downstream keeps for now.
  void set_holding(bool holds) {
    is_holding_ = holds;
    if (!holds) held_.clear();
  }
  [[nodiscard]] unsigned pictures() const { return pictures_; }

  [[nodiscard]] static gst::BufferPtr make(const Bytes& bytes) {
    gst::BufferPtr buffer(gst_buffer_new_allocate(nullptr, bytes.size(), nullptr));
    gst_buffer_fill(buffer.get(), 0, bytes.data(), bytes.size());
    return buffer;
  }

 private:
  void create() {
    const gst::ObjectPtr<GstElement> element(static_cast<GstElement*>(gst_object_ref_sink(
        gst_parse_launch((std::string("nv12slotdec ") + kind_.properties).c_str(), nullptr))));
    harness_ = gst_harness_new_with_element(element.get(), "sink", "src");
    if (kind_.sink_caps != nullptr) gst_harness_set_sink_caps_str(harness_, kind_.sink_caps);
    if (kind_.readers_wait) gst_nv12_slot_declare_reader(harness_->sinkpad);
    gst_harness_play(harness_);
  }
  void pull() {
    while (gst::BufferPtr frame{gst_harness_try_pull(harness_)}) {
      ++pictures_;
      EXPECT_NE(gst_buffer_get_nv12_slot_meta(frame.get()), nullptr);
      if (is_holding_) held_.push_back(std::move(frame));
    }
    while (GstEvent* event = gst_harness_try_pull_event(harness_)) gst_event_unref(event);
    while (GstEvent* event = gst_harness_try_pull_upstream_event(harness_)) gst_event_unref(event);
  }

  const Kind& kind_;
  GstHarness* harness_ = nullptr;
  std::vector<gst::BufferPtr> held_;
  bool is_holding_ = false;
  unsigned pictures_ = 0;
};

}  // namespace nv12slot::fuzz
