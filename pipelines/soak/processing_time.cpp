// SPDX-License-Identifier: LGPL-2.1-or-later
#include "processing_time.h"

#include <algorithm>

namespace soak {

using nv12slot::MutexLock;

namespace {

constexpr std::size_t kMostUnits = 64;

void probe(GstElement* element, const char* name, GstPadProbeCallback callback, gpointer self) {
  GstPad* pad = gst_element_get_static_pad(element, name);
  if (pad == nullptr) return;
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, callback, self, nullptr);
  gst_object_unref(pad);
}

}  // namespace

void ProcessingTime::watch(GstElement* decoder) {
  probe(decoder, "sink", on_unit, this);
  probe(decoder, "src", on_picture, this);
}

ProcessingTime::Figures ProcessingTime::take() {
  MutexLock lock(mutex_);
  Figures figures = figures_;
  if (figures.pictures > 0) figures.mean_ms = sum_ms_ / static_cast<double>(figures.pictures);
  sum_ms_ = 0;
  figures_ = {};
  return figures;
}

GstPadProbeReturn ProcessingTime::on_unit(GstPad*, GstPadProbeInfo* info, gpointer self) {
  auto* time = static_cast<ProcessingTime*>(self);
  MutexLock lock(time->mutex_);
  time->units_.emplace_back(GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)),
                            g_get_monotonic_time());
  if (time->units_.size() > kMostUnits) time->units_.pop_front();
  return GST_PAD_PROBE_OK;
}

GstPadProbeReturn ProcessingTime::on_picture(GstPad*, GstPadProbeInfo* info, gpointer self) {
  auto* time = static_cast<ProcessingTime*>(self);
  const gint64 now = g_get_monotonic_time();
  const GstClockTime pts = GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info));
  MutexLock lock(time->mutex_);
  const auto unit = std::find_if(time->units_.begin(), time->units_.end(),
                                 [&](const auto& one) { return one.first == pts; });
  if (unit == time->units_.end()) return GST_PAD_PROBE_OK;
  const double ms = static_cast<double>(now - unit->second) / 1000;
  time->units_.erase(unit);
  time->sum_ms_ += ms;
  time->figures_.max_ms = std::max(time->figures_.max_ms, ms);
  ++time->figures_.pictures;
  return GST_PAD_PROBE_OK;
}

}  // namespace soak
