// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include "ffmpeg.h"

namespace nv12slot::gst {

/// What of a decoded frame decides the caps downstream.
struct FrameFormat {
  guint width = 0, height = 0;  ///< of the picture after cropping, made even
  bool is_interlaced = false;
  GstVideoColorimetry colorimetry{};
  bool was_rgb = false;       ///< matrix and range are those it is made NV12 with, not the stream's
  gint par_n = 0, par_d = 1;  ///< pixel aspect ratio; 0: not said
  bool has_mastering = false, has_light_level = false;
  GstVideoMasteringDisplayInfo mastering{};
  GstVideoContentLightLevel light_level{};

  friend bool operator==(const FrameFormat& a, const FrameFormat& b) {
    return a.width == b.width && a.height == b.height && a.is_interlaced == b.is_interlaced &&
           gst_video_colorimetry_is_equal(&a.colorimetry, &b.colorimetry) != FALSE &&
           a.was_rgb == b.was_rgb && a.par_n == b.par_n && a.par_d == b.par_d &&
           a.has_mastering == b.has_mastering &&
           gst_video_mastering_display_info_is_equal(&a.mastering, &b.mastering) != FALSE &&
           a.has_light_level == b.has_light_level &&
           gst_video_content_light_level_is_equal(&a.light_level, &b.light_level) != FALSE;
  }
};

/// Slots have even sides: the last column or row of an odd picture is left out.
[[nodiscard]] FrameFormat format_of(const AVFrame& frame);

/// Completes what upstream's caps left open in `info` from the stream itself.
void complete_info(GstVideoInfo& info, const GstVideoInfo& upstream, const FrameFormat& format);
/// Adds mastering display and content light level to `caps`, where the stream has them.
void add_hdr(GstCaps* caps, const FrameFormat& format);

/// Interlacing and damage, as flags of a buffer.
[[nodiscard]] guint buffer_flags_of(const AVFrame& frame);
[[nodiscard]] bool is_corrupted(const AVFrame& frame);

}  // namespace nv12slot::gst
