// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <functional>
#include <string>
#include <vector>

#include "nv12slot/mutex.h"
#include "raii.h"

namespace nv12slot::gst {

/// Properties of nv12slotsrc, as in a launch line.
inline std::string with_uri(const std::string& uri, const std::string& more = "") {
  return "uri=" + uri + " " + more;
}

/// Quick about everything, as tests do not want to wait.
inline constexpr const char* kQuick =
    " backoff-min=50000000 backoff-max=200000000 packet-timeout=700000000 ";

/// Plays nv12slotsrc into a fakesink, and keeps what comes out and what is said.
class SrcPlayer {
 public:
  struct Frame {
    GstClockTime pts;
    guint flags;
  };
  struct Told {
    std::string status, reason, text;
  };

  /// `properties` as in a launch line; slots of the host. `sink`: what it plays into.
  explicit SrcPlayer(const std::string& properties,
                     const std::string& sink = "fakesink sync=false");
  ~SrcPlayer() { stop(); }
  SrcPlayer(const SrcPlayer&) = delete;
  SrcPlayer& operator=(const SrcPlayer&) = delete;

  GstStateChangeReturn play() { return gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING); }
  void stop() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

  /// Waits up to 30 s for it; false, with a test failure, if it does not come.
  bool wait_for(const std::function<bool()>& condition, const char* what);
  bool wait_for_frames(std::size_t more);
  /// The camera says so in a message, after those that were seen before.
  bool wait_for_status(const std::string& status, const std::string& reason = "none");

  [[nodiscard]] GstElement* src() const { return src_.get(); }
  [[nodiscard]] GstElement* pipeline() const { return pipeline_.get(); }
  [[nodiscard]] guint64 stat(const char* field) const;
  [[nodiscard]] std::string text_stat(const char* field) const;
  [[nodiscard]] std::string status() const { return text_stat("status"); }

  [[nodiscard]] std::vector<Frame> frames();
  [[nodiscard]] unsigned count_events(GstEventType type);
  /// Start and end of each gap event.
  [[nodiscard]] std::vector<std::pair<GstClockTime, GstClockTime>> gaps();
  [[nodiscard]] std::vector<Told> told();
  [[nodiscard]] std::string error();     ///< of the bus; empty if none
  [[nodiscard]] std::string all_text();  ///< of all messages

 private:
  GstPadProbeReturn look(GstPadProbeInfo* info);
  void hear(GstMessage* message);

  ObjectPtr<GstElement> pipeline_, src_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Frame> frames_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<GstEventType> events_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<std::pair<GstClockTime, GstClockTime>> gaps_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<Told> told_ NV12SLOT_GUARDED_BY(mutex_);
  std::size_t waited_for_ NV12SLOT_GUARDED_BY(mutex_) = 0;  // of told_
  std::string error_ NV12SLOT_GUARDED_BY(mutex_), text_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace nv12slot::gst
