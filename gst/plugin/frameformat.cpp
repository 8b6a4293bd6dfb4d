// SPDX-License-Identifier: LGPL-2.1-or-later
#include "frameformat.h"

extern "C" {
#include <libavutil/mastering_display_metadata.h>
}

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace nv12slot::gst {
namespace {

bool is_interlaced(const AVFrame& frame) {
#ifdef AV_FRAME_FLAG_INTERLACED
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

bool is_top_field_first(const AVFrame& frame) {
#ifdef AV_FRAME_FLAG_TOP_FIELD_FIRST
  return (frame.flags & AV_FRAME_FLAG_TOP_FIELD_FIRST) != 0;
#else
  return frame.top_field_first != 0;
#endif
}

/// A damaged stream may say what the enumeration does not know, and FFmpeg hands it on: as a value
/// of that type it must not be read.
template <typename Enum>
guint number_in(const Enum& field) {
  std::underlying_type_t<Enum> number;
  static_assert(sizeof(number) == sizeof(field));
  std::memcpy(&number, &field, sizeof(number));
  return static_cast<guint>(number);
}

bool is_rgb(const AVFrame& frame) {
  const AVPixFmtDescriptor* const format =
      av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  return format != nullptr && (format->flags & AV_PIX_FMT_FLAG_RGB) != 0;
}

// FFmpeg's numbers are those of ISO/IEC 23001-8.
GstVideoColorimetry colorimetry_of(const AVFrame& frame) {
  GstVideoColorimetry color{};
  const bool full = frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
                    frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P;
  color.range = full                                    ? GST_VIDEO_COLOR_RANGE_0_255
                : frame.color_range == AVCOL_RANGE_MPEG ? GST_VIDEO_COLOR_RANGE_16_235
                                                        : GST_VIDEO_COLOR_RANGE_UNKNOWN;
  color.matrix = gst_video_color_matrix_from_iso(number_in(frame.colorspace));
  color.transfer = gst_video_transfer_function_from_iso(number_in(frame.color_trc));
  color.primaries = gst_video_color_primaries_from_iso(number_in(frame.color_primaries));
  if (is_rgb(frame)) {
    // As ToNv12 writes it.
    color.matrix = GST_VIDEO_COLOR_MATRIX_BT601;
    if (!full) color.range = GST_VIDEO_COLOR_RANGE_16_235;
  }
  return color;
}

template <typename T>
void set_if_known(T& value, T other, T unknown) {
  if (other != unknown) value = other;
}

/// The nearest number of units that `Integer` has: a damaged stream may say anything, a negative
/// luminance, for one, which no conversion may be given.
template <typename Integer>
Integer to_units(AVRational value, int units) {
  if (value.den == 0) return 0;
  constexpr double kMost = std::numeric_limits<Integer>::max();
  return static_cast<Integer>(std::clamp(av_q2d(value) * units + 0.5, 0.0, kMost));
}

void read_hdr(FrameFormat& format, const AVFrame& frame) {
  if (const AVFrameSideData* data =
          av_frame_get_side_data(&frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA)) {
    const auto& from = *reinterpret_cast<const AVMasteringDisplayMetadata*>(data->data);
    if (from.has_primaries != 0 && from.has_luminance != 0) {
      // Units of the H.265 SEI message: 0.00002, and 0.0001 cd/m2.
      GstVideoMasteringDisplayInfo& info = format.mastering;
      for (int i = 0; i < 3; ++i) {
        info.display_primaries[i].x = to_units<guint16>(from.display_primaries[i][0], 50000);
        info.display_primaries[i].y = to_units<guint16>(from.display_primaries[i][1], 50000);
      }
      info.white_point.x = to_units<guint16>(from.white_point[0], 50000);
      info.white_point.y = to_units<guint16>(from.white_point[1], 50000);
      info.max_display_mastering_luminance = to_units<guint32>(from.max_luminance, 10000);
      info.min_display_mastering_luminance = to_units<guint32>(from.min_luminance, 10000);
      format.has_mastering = true;
    }
  }
  if (const AVFrameSideData* data =
          av_frame_get_side_data(&frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL)) {
    const auto& from = *reinterpret_cast<const AVContentLightMetadata*>(data->data);
    format.light_level.max_content_light_level = static_cast<guint16>(MIN(from.MaxCLL, 65535u));
    format.light_level.max_frame_average_light_level =
        static_cast<guint16>(MIN(from.MaxFALL, 65535u));
    format.has_light_level = true;
  }
}

}  // namespace

FrameFormat format_of(const AVFrame& frame) {
  // Cropping from the left and the top was not applied to surfaces of a device, and its odd bit
  // never is (FrameWriter).
  const int left = frame.format == AV_PIX_FMT_CUDA ? static_cast<int>(frame.crop_left) : 0;
  const int top = frame.format == AV_PIX_FMT_CUDA ? static_cast<int>(frame.crop_top) : 0;
  FrameFormat format;
  format.width = static_cast<guint>(MAX(frame.width - left, 0)) & ~1u;
  format.height = static_cast<guint>(MAX(frame.height - top, 0)) & ~1u;
  format.is_interlaced = is_interlaced(frame);
  format.colorimetry = colorimetry_of(frame);
  format.was_rgb = is_rgb(frame);
  const AVRational aspect = frame.sample_aspect_ratio;
  if (aspect.num > 0 && aspect.den > 0) {
    format.par_n = aspect.num;
    format.par_d = aspect.den;
  }
  read_hdr(format, frame);
  return format;
}

void complete_info(GstVideoInfo& info, const GstVideoInfo& upstream, const FrameFormat& format) {
  // What GStreamer filled in by itself is a guess from the size.
  const GstVideoColorimetry& given = upstream.colorimetry;
  GstVideoColorimetry& color = info.colorimetry;
  if (format.was_rgb || given.range == GST_VIDEO_COLOR_RANGE_UNKNOWN) {
    set_if_known(color.range, format.colorimetry.range, GST_VIDEO_COLOR_RANGE_UNKNOWN);
  }
  if (format.was_rgb || given.matrix == GST_VIDEO_COLOR_MATRIX_UNKNOWN) {
    set_if_known(color.matrix, format.colorimetry.matrix, GST_VIDEO_COLOR_MATRIX_UNKNOWN);
  }
  if (given.transfer == GST_VIDEO_TRANSFER_UNKNOWN) {
    set_if_known(color.transfer, format.colorimetry.transfer, GST_VIDEO_TRANSFER_UNKNOWN);
  }
  if (given.primaries == GST_VIDEO_COLOR_PRIMARIES_UNKNOWN) {
    set_if_known(color.primaries, format.colorimetry.primaries, GST_VIDEO_COLOR_PRIMARIES_UNKNOWN);
  }
  if (format.par_n > 0 && (upstream.par_n <= 0 || (upstream.par_n == 1 && upstream.par_d == 1))) {
    info.par_n = format.par_n;
    info.par_d = format.par_d;
  }
}

void add_hdr(GstCaps* caps, const FrameFormat& format) {
  if (format.has_mastering) {
    gst_video_mastering_display_info_add_to_caps(&format.mastering, caps);
  }
  if (format.has_light_level) {
    gst_video_content_light_level_add_to_caps(&format.light_level, caps);
  }
}

guint buffer_flags_of(const AVFrame& frame) {
  guint flags = 0;
  if (is_interlaced(frame)) flags |= GST_VIDEO_BUFFER_FLAG_INTERLACED;
  if (is_top_field_first(frame)) flags |= GST_VIDEO_BUFFER_FLAG_TFF;
  if (frame.repeat_pict != 0) flags |= GST_VIDEO_BUFFER_FLAG_RFF;
  if (is_corrupted(frame)) flags |= GST_BUFFER_FLAG_CORRUPTED;
  return flags;
}

bool is_corrupted(const AVFrame& frame) {
  return (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame.decode_error_flags != 0;
}

}  // namespace nv12slot::gst
