// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "gst_raii.h"

namespace nv12slot::bench {

using Clock = std::chrono::steady_clock;

/// nv12slotsrc with slots of the host into a sink that does not synchronize, and when its packets
/// came, its frames went downstream, and its status changed. Plays from construction on. The
/// methods: one thread. Those that wait do so for 60 s at most.
class SrcCamera {
 public:
  /// `properties` as in a launch line.
  explicit SrcCamera(const std::string& uri, const std::string& properties = {});
  ~SrcCamera();
  SrcCamera(const SrcCamera&) = delete;
  SrcCamera& operator=(const SrcCamera&) = delete;

  /// Waits until it has given so many frames.
  bool wait_for_frames(std::uint64_t count);
  /// When the first frame without damage came of a connection that was made after `since`.
  [[nodiscard]] std::optional<Clock::time_point> back_after(Clock::time_point since);
  /// When the element's message said so, after `since`.
  [[nodiscard]] std::optional<Clock::time_point> told_after(Clock::time_point since,
                                                            const std::string& status,
                                                            const std::string& reason);
  /// Of the connection that is there, at its source's pad.
  [[nodiscard]] Clock::time_point first_packet() const;
  [[nodiscard]] Clock::time_point last_packet() const;
  /// The longest time without a frame between these times, or without a packet.
  [[nodiscard]] Clock::duration longest_gap(Clock::time_point from, Clock::time_point to) const;
  [[nodiscard]] Clock::duration longest_packet_gap(Clock::time_point from,
                                                   Clock::time_point to) const;
  [[nodiscard]] std::uint64_t stat(const char* field) const;

 private:
  // Connections may outlive the element: what they note is shared.
  struct Record;
  using Shared = std::shared_ptr<Record>;

  static void on_source(GstElement*, GstElement* source, gpointer data);
  static void on_pad(GstElement*, GstPad* pad, gpointer data);
  static void connect_shared(gpointer object, const char* signal, GCallback callback,
                             const Shared& record);

  const Shared record_;
  soak::Ref<GstElement> pipeline_, src_;
};

/// What an application does without nv12slotsrc: `rtspsrc ! rtph264depay ! h264parse ! avdec_h264`,
/// and all of it made anew on an error or an end.
class PlainCamera {
 public:
  PlainCamera(std::string uri, unsigned latency_ms);
  ~PlainCamera() { stop(); }
  PlainCamera(const PlainCamera&) = delete;
  PlainCamera& operator=(const PlainCamera&) = delete;

  /// Waits up to 60 s for the first frame of the pipeline at hand.
  [[nodiscard]] std::optional<Clock::time_point> wait_for_frame();
  /// Waits for an error or the end, up to 60 s, and makes it anew.
  bool make_anew();

 private:
  void start();
  void stop();

  const std::string uri_;
  const unsigned latency_ms_;
  soak::Ref<GstElement> pipeline_;
  std::atomic<Clock::rep> first_{0};
};

}  // namespace nv12slot::bench
