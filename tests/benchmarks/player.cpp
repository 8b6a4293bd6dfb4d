// SPDX-License-Identifier: LGPL-2.1-or-later
#include "player.h"

#include <fmt/format.h>
#include <gst/app/gstappsrc.h>

#include <cstdio>
#include <cstdlib>

#include "machine.h"

namespace nv12slot::bench {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr nanoseconds kFrameTime{GST_SECOND / 30};
constexpr auto kDeadline = std::chrono::seconds(60);

}  // namespace

Player::Player(const Settings& settings) : settings_(settings) {
  const bool is_live = settings_.pace == Pace::kLive;
  // A short queue in appsrc: pictures that wait there are no part of what is measured.
  const std::string launch = fmt::format(
      "appsrc name=source format=time block=true max-buffers=2 max-bytes=0 is-live={} ! h264parse "
      "! "
      "{} ! fakesink name=sink enable-last-sample=false sync={}",
      is_live, settings_.decode, settings_.pace != Pace::kFast);
  GError* error = nullptr;
  pipeline_ = gst_parse_launch(launch.c_str(), &error);
  if (error != nullptr) {
    fmt::print(stderr, "{}: {}\n", launch, error->message);
    std::abort();
  }
  gst_object_ref_sink(pipeline_);
  bus_ = gst_element_get_bus(pipeline_);
  source_ = gst_bin_get_by_name(GST_BIN(pipeline_), "source");
  gst_app_src_set_caps(GST_APP_SRC(source_), settings_.stream->caps());
  if (settings_.shares_context) share_cuda_context(pipeline_);

  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline_), "sink");
  GstPad* pad = gst_element_get_static_pad(sink, "sink");
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo*, gpointer self) {
        auto& player = *static_cast<Player*>(self);
        if (player.frames_ == 0) {
          player.first_frame_ns_ = nanoseconds(steady_clock::now() - player.created_).count();
        }
        ++player.frames_;
        return GST_PAD_PROBE_OK;
      },
      this, nullptr);
  gst_object_unref(pad);
  gst_object_unref(sink);
  if (settings_.prepare) settings_.prepare(pipeline_);

  gst_element_set_state(pipeline_, GST_STATE_PLAYING);
  feeder_ = std::thread([this] { feed(); });
}

Player::~Player() {
  stop();
}

void Player::feed() {
  const std::vector<GstBuffer*>& pictures = settings_.stream->pictures();
  const auto start = steady_clock::now();
  auto first_due = start + settings_.phase;
  std::uint64_t n = 0;
  while (settings_.pictures == 0 || n < settings_.pictures) {
    if (settings_.pace == Pace::kLive && !wait_until_due(first_due + kFrameTime * n)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopping_) return;
      is_to_start_over_ = false;
      first_due = steady_clock::now();
      n = 0;
    }
    GstBuffer* picture = gst_buffer_copy(pictures[n % pictures.size()]);  // the data is shared
    GST_BUFFER_PTS(picture) =
        static_cast<GstClockTime>(nanoseconds(first_due - start + kFrameTime * n).count());
    GST_BUFFER_DTS(picture) = GST_BUFFER_PTS(picture);
    GST_BUFFER_DURATION(picture) = static_cast<GstClockTime>(kFrameTime.count());
    if (gst_app_src_push_buffer(GST_APP_SRC(source_), picture) != GST_FLOW_OK) return;
    ++n;
  }
  gst_app_src_end_of_stream(GST_APP_SRC(source_));
}

bool Player::wait_until_due(steady_clock::time_point due) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_until(lock, due, [&] { return stopping_ || is_to_start_over_; });
}

void Player::start_over() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_to_start_over_ = true;
  }
  changed_.notify_all();
}

bool Player::has_failed() {
  GstMessage* message =
      gst_bus_pop_filtered(bus_, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  if (message == nullptr) return false;
  GError* error = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, nullptr);
  }
  fmt::print(stderr, "{}: {}\n", settings_.decode,
             error != nullptr ? error->message : "the stream ended");
  g_clear_error(&error);
  gst_message_unref(message);
  return true;
}

bool Player::wait_for(std::uint64_t frames) {
  const auto deadline = steady_clock::now() + kDeadline;
  while (frames_ < frames) {
    if (has_failed()) return false;
    if (steady_clock::now() > deadline) {
      fmt::print(stderr, "{}: {} frames in place of {}\n", settings_.decode, frames_.load(),
                 frames);
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool Player::wait_for_end() {
  GstMessage* message = gst_bus_timed_pop_filtered(
      bus_, GST_CLOCK_TIME_NONE, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  const bool is_end = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
  if (!is_end) {
    gst_bus_post(bus_, message);
    return !has_failed();
  }
  gst_message_unref(message);
  return true;
}

nanoseconds Player::first_frame_after() const {
  return nanoseconds(first_frame_ns_);
}

nanoseconds Player::stop() {
  if (pipeline_ == nullptr) return {};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  const auto start = steady_clock::now();
  gst_element_set_state(pipeline_, GST_STATE_NULL);
  const nanoseconds down = steady_clock::now() - start;
  // Its push has failed by now, if one was under way.
  feeder_.join();
  gst_clear_object(&source_);
  gst_clear_object(&bus_);
  const auto freed_from = steady_clock::now();
  gst_clear_object(&pipeline_);
  return down + (steady_clock::now() - freed_from);
}

}  // namespace nv12slot::bench
