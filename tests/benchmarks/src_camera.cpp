// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src_camera.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "nv12slot/mutex.h"

namespace nv12slot::bench {
namespace {

constexpr auto kDeadline = std::chrono::seconds(60);

/// Until `found` finds it.
std::optional<Clock::time_point> wait_for(
    const std::function<std::optional<Clock::time_point>()>& found) {
  const auto until = Clock::now() + kDeadline;
  for (;;) {
    if (const auto at = found()) return at;
    if (Clock::now() > until) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

soak::Ref<GstElement> launch(const std::string& line) {
  GError* error = nullptr;
  soak::Ref<GstElement> pipeline(gst_parse_launch(line.c_str(), &error));
  if (error != nullptr) throw std::runtime_error(soak::take_text(error));
  gst_object_ref_sink(pipeline.get());
  return pipeline;
}

/// The longest time in which nothing came.
Clock::duration longest_between(const std::vector<Clock::time_point>& times, Clock::time_point from,
                                Clock::time_point to) {
  Clock::duration longest{};
  Clock::time_point last = from;
  for (const Clock::time_point time : times) {
    if (time < from || time > to) continue;
    longest = std::max(longest, time - last);
    last = time;
  }
  return std::max(longest, to - last);
}

bool is_damaged(GstBuffer* buffer) {
  return GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED);
}

}  // namespace

struct SrcCamera::Record {
  struct Frame {
    Clock::time_point at;
    bool is_seam, is_good;
  };
  struct Told {
    Clock::time_point at;
    std::string status, reason;
  };

  void note_frame(GstBuffer* buffer) {
    const auto now = Clock::now();
    MutexLock lock(mutex);
    frames.push_back(
        {now, GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT), !is_damaged(buffer)});
  }
  void note_packet() {
    const auto now = Clock::now();
    MutexLock lock(mutex);
    if (std::exchange(is_new, false)) first_packet = now;
    packets.push_back(now);
  }
  void note_connection() {
    MutexLock lock(mutex);
    is_new = true;
  }
  void note_message(GstMessage* message) {
    if (!gst_message_has_name(message, "nv12slotsrc-status")) return;
    const auto now = Clock::now();
    const GstStructure* const structure = gst_message_get_structure(message);
    MutexLock lock(mutex);
    told.push_back({now, gst_structure_get_string(structure, "status"),
                    gst_structure_get_string(structure, "reason")});
  }

  Mutex mutex;  // a leaf
  std::vector<Frame> frames NV12SLOT_GUARDED_BY(mutex);
  std::vector<Told> told NV12SLOT_GUARDED_BY(mutex);
  bool is_new NV12SLOT_GUARDED_BY(mutex) = false;  // no packet of this connection yet
  std::vector<Clock::time_point> packets NV12SLOT_GUARDED_BY(mutex);
  Clock::time_point first_packet NV12SLOT_GUARDED_BY(mutex);
};

void SrcCamera::on_source(GstElement*, GstElement* source, gpointer data) {
  const Shared& record = *static_cast<Shared*>(data);
  record->note_connection();
  connect_shared(source, "pad-added", G_CALLBACK(on_pad), record);
}

void SrcCamera::on_pad(GstElement*, GstPad* pad, gpointer data) {
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      [](GstPad*, GstPadProbeInfo*, gpointer record) {
        (*static_cast<Shared*>(record))->note_packet();
        return GST_PAD_PROBE_OK;
      },
      new Shared(*static_cast<Shared*>(data)),
      [](gpointer record) { delete static_cast<Shared*>(record); });
}

void SrcCamera::connect_shared(gpointer object, const char* signal, GCallback callback,
                               const Shared& record) {
  g_signal_connect_data(
      object, signal, callback, new Shared(record),
      [](gpointer shared, GClosure*) { delete static_cast<Shared*>(shared); },
      static_cast<GConnectFlags>(0));
}

SrcCamera::SrcCamera(const std::string& uri, const std::string& properties)
    : record_(std::make_shared<Record>()),
      pipeline_(launch(fmt::format("nv12slotsrc name=src device=-1 uri={} {} ! fakesink name=sink "
                                   "sync=false enable-last-sample=false",
                                   uri, properties))),
      src_(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "src")) {
  const soak::Ref<GstPad> pad(gst_element_get_static_pad(src_.get(), "src"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer record) {
        static_cast<Record*>(record)->note_frame(gst_pad_probe_info_get_buffer(info));
        return GST_PAD_PROBE_OK;
      },
      record_.get(), nullptr);
  const soak::Ref<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer record) {
        static_cast<Record*>(record)->note_message(message);
        gst_message_unref(message);
        return GST_BUS_DROP;
      },
      record_.get(), nullptr);
  connect_shared(src_.get(), "source-setup", G_CALLBACK(on_source), record_);
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
}

SrcCamera::~SrcCamera() {
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
}

bool SrcCamera::wait_for_frames(std::uint64_t count) {
  const auto until = Clock::now() + kDeadline;
  while (stat("frames") < count) {
    if (Clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

std::optional<Clock::time_point> SrcCamera::back_after(Clock::time_point since) {
  return wait_for([&]() -> std::optional<Clock::time_point> {
    MutexLock lock(record_->mutex);
    bool is_of_new = false;
    // From behind, as all the frames before are many.
    const auto first = std::find_if(record_->frames.rbegin(), record_->frames.rend(),
                                    [&](const Record::Frame& frame) { return frame.at < since; })
                           .base();
    for (auto frame = first; frame != record_->frames.end(); ++frame) {
      is_of_new = is_of_new || frame->is_seam;
      if (is_of_new && frame->is_good) return frame->at;
    }
    return {};
  });
}

std::optional<Clock::time_point> SrcCamera::told_after(Clock::time_point since,
                                                       const std::string& status,
                                                       const std::string& reason) {
  return wait_for([&]() -> std::optional<Clock::time_point> {
    MutexLock lock(record_->mutex);
    for (const Record::Told& told : record_->told) {
      if (told.at >= since && told.status == status && told.reason == reason) return told.at;
    }
    return {};
  });
}

Clock::time_point SrcCamera::first_packet() const {
  MutexLock lock(record_->mutex);
  return record_->first_packet;
}

Clock::time_point SrcCamera::last_packet() const {
  MutexLock lock(record_->mutex);
  return record_->packets.empty() ? Clock::time_point() : record_->packets.back();
}

Clock::duration SrcCamera::longest_gap(Clock::time_point from, Clock::time_point to) const {
  std::vector<Clock::time_point> times;
  MutexLock lock(record_->mutex);
  for (const Record::Frame& frame : record_->frames) times.push_back(frame.at);
  return longest_between(times, from, to);
}

Clock::duration SrcCamera::longest_packet_gap(Clock::time_point from, Clock::time_point to) const {
  MutexLock lock(record_->mutex);
  return longest_between(record_->packets, from, to);
}

std::uint64_t SrcCamera::stat(const char* field) const {
  GstStructure* stats = nullptr;
  g_object_get(src_.get(), "stats", &stats, nullptr);
  const soak::Ref<GstStructure> owned(stats);
  guint64 value = 0;
  gst_structure_get_uint64(stats, field, &value);
  return value;
}

// ---- Without nv12slotsrc ----------------------------------------------------------------------

PlainCamera::PlainCamera(std::string uri, unsigned latency_ms)
    : uri_(std::move(uri)), latency_ms_(latency_ms) {
  start();
}

void PlainCamera::start() {
  pipeline_ = launch(
      fmt::format("rtspsrc location={} protocols=tcp latency={} ! rtph264depay ! h264parse ! "
                  "avdec_h264 ! fakesink name=sink sync=false enable-last-sample=false",
                  uri_, latency_ms_));
  first_ = 0;
  const soak::Ref<GstElement> sink(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "sink"));
  const soak::Ref<GstPad> pad(gst_element_get_static_pad(sink.get(), "sink"));
  gst_pad_add_probe(
      pad.get(), GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer self) {
        Clock::rep none = 0;
        if (!is_damaged(gst_pad_probe_info_get_buffer(info))) {
          static_cast<PlainCamera*>(self)->first_.compare_exchange_strong(
              none, Clock::now().time_since_epoch().count());
        }
        return GST_PAD_PROBE_OK;
      },
      this, nullptr);
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
}

void PlainCamera::stop() {
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  pipeline_.reset();
}

std::optional<Clock::time_point> PlainCamera::wait_for_frame() {
  return wait_for([&]() -> std::optional<Clock::time_point> {
    const Clock::rep first = first_.load();
    if (first == 0) return {};
    return Clock::time_point(Clock::duration(first));
  });
}

bool PlainCamera::make_anew() {
  const soak::Ref<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  const soak::Ref<GstMessage> message(
      gst_bus_timed_pop_filtered(bus.get(), GST_SECOND * kDeadline.count(),
                                 static_cast<GstMessageType>(GST_MESSAGE_ERROR | GST_MESSAGE_EOS)));
  if (message == nullptr) return false;
  stop();
  start();
  return true;
}

}  // namespace nv12slot::bench
