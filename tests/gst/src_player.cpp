// SPDX-License-Identifier: LGPL-2.1-or-later
#include "src_player.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "nv12slot/clock.h"

namespace nv12slot::gst {

SrcPlayer::SrcPlayer(const std::string& properties, const std::string& sink) {
  GError* error = nullptr;
  GstElement* const pipeline = gst_parse_launch(
      ("nv12slotsrc name=src device=-1 " + properties + " ! " + sink + " name=sink").c_str(),
      &error);
  if (error != nullptr) {
    ADD_FAILURE() << error->message;
    g_clear_error(&error);
  }
  pipeline_.reset(static_cast<GstElement*>(gst_object_ref_sink(pipeline)));
  src_.reset(gst_bin_get_by_name(GST_BIN(pipeline), "src"));
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(src_.get(), "src"));
  gst_pad_add_probe(
      pad.get(),
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM),
      [](GstPad*, GstPadProbeInfo* info, gpointer self) {
        return static_cast<SrcPlayer*>(self)->look(info);
      },
      this, nullptr);
  const ObjectPtr<GstBus> bus(gst_element_get_bus(pipeline));
  gst_bus_set_sync_handler(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer self) {
        static_cast<SrcPlayer*>(self)->hear(message);
        gst_message_unref(message);
        return GST_BUS_DROP;
      },
      this, nullptr);
}

GstPadProbeReturn SrcPlayer::look(GstPadProbeInfo* info) {
  MutexLock lock(mutex_);
  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0) {
    GstBuffer* const buffer = gst_pad_probe_info_get_buffer(info);
    frames_.push_back({GST_BUFFER_PTS(buffer), GST_BUFFER_FLAGS(buffer)});
  } else {
    GstEvent* const event = gst_pad_probe_info_get_event(info);
    events_.push_back(GST_EVENT_TYPE(event));
    if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) {
      GstClockTime start = 0;
      GstClockTime duration = 0;
      gst_event_parse_gap(event, &start, &duration);
      gaps_.emplace_back(start, start + duration);
    }
  }
  changed_.notify_all();
  return GST_PAD_PROBE_OK;
}

void SrcPlayer::hear(GstMessage* message) {
  MutexLock lock(mutex_);
  const GstStructure* const structure = gst_message_get_structure(message);
  if (structure != nullptr) {
    gchar* const text = gst_structure_to_string(structure);
    text_ += text;
    text_ += "\n";
    g_free(text);
  }
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR ||
      GST_MESSAGE_TYPE(message) == GST_MESSAGE_WARNING) {
    GError* error = nullptr;
    gchar* debug = nullptr;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
      gst_message_parse_error(message, &error, &debug);
      if (error_.empty()) error_ = error->message;
    } else {
      gst_message_parse_warning(message, &error, &debug);
    }
    text_ += std::string(error->message) + "\n" + (debug != nullptr ? debug : "") + "\n";
    g_clear_error(&error);
    g_free(debug);
  }
  if (gst_message_has_name(message, "nv12slotsrc-status")) {
    told_.push_back({gst_structure_get_string(structure, "status"),
                     gst_structure_get_string(structure, "reason"),
                     gst_structure_get_string(structure, "text")});
  }
  changed_.notify_all();
}

bool SrcPlayer::wait_for(const std::function<bool()>& condition, const char* what) {
  const TimePoint until = steady_clock().now() + std::chrono::seconds(30);
  while (!condition()) {
    MutexLock lock(mutex_);
    const TimePoint now = steady_clock().now();
    if (now >= until) {
      ADD_FAILURE() << "waited for " << what << " in vain; " << text_;
      return false;
    }
    // Conditions are of more than what is counted here.
    steady_clock().wait_until(changed_, lock, now + std::chrono::milliseconds(20));
  }
  return true;
}

bool SrcPlayer::wait_for_frames(std::size_t more) {
  const std::size_t wanted = frames().size() + more;
  return wait_for([&] { return frames().size() >= wanted; }, "frames");
}

bool SrcPlayer::wait_for_status(const std::string& status, const std::string& reason) {
  return wait_for(
      [&] {
        MutexLock lock(mutex_);
        while (waited_for_ < told_.size()) {
          const Told& told = told_[waited_for_++];
          if (told.status == status && told.reason == reason) return true;
        }
        return false;
      },
      (status + " " + reason).c_str());
}

guint64 SrcPlayer::stat(const char* field) const {
  GstStructure* stats = nullptr;
  g_object_get(src_.get(), "stats", &stats, nullptr);
  const StructurePtr owned(stats);
  guint64 value = 0;
  guint small = 0;
  if (gst_structure_get_uint64(stats, field, &value)) return value;
  EXPECT_TRUE(gst_structure_get_uint(stats, field, &small)) << field;
  return small;
}

std::string SrcPlayer::text_stat(const char* field) const {
  GstStructure* stats = nullptr;
  g_object_get(src_.get(), "stats", &stats, nullptr);
  const StructurePtr owned(stats);
  const char* const text = gst_structure_get_string(stats, field);
  return text != nullptr ? text : "";
}

std::vector<SrcPlayer::Frame> SrcPlayer::frames() {
  MutexLock lock(mutex_);
  return frames_;
}

unsigned SrcPlayer::count_events(GstEventType type) {
  MutexLock lock(mutex_);
  return static_cast<unsigned>(std::count(events_.begin(), events_.end(), type));
}

std::vector<std::pair<GstClockTime, GstClockTime>> SrcPlayer::gaps() {
  MutexLock lock(mutex_);
  return gaps_;
}

std::vector<SrcPlayer::Told> SrcPlayer::told() {
  MutexLock lock(mutex_);
  return told_;
}

std::string SrcPlayer::error() {
  MutexLock lock(mutex_);
  return error_;
}

std::string SrcPlayer::all_text() {
  MutexLock lock(mutex_);
  return text_;
}

}  // namespace nv12slot::gst
