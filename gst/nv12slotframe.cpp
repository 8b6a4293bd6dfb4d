// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slotframe.h"

#include <atomic>
#include <utility>

#include "debug.h"
#include "nv12slot/process.h"

#define GST_CAT_DEFAULT gst_nv12_slot_debug

// One FrameRef for all who share the boxed frame: its accessors are const, and only the last unref
// touches the reference itself.
struct _GstNv12SlotFrame {
  explicit _GstNv12SlotFrame(nv12slot::FrameRef f) : frame(std::move(f)) {}

  std::atomic<int> references{1};
  const nv12slot::FrameRef frame;
};

G_DEFINE_BOXED_TYPE(GstNv12SlotFrame, gst_nv12_slot_frame, gst_nv12_slot_frame_ref,
                    gst_nv12_slot_frame_unref)

namespace nv12slot::gst {

GstNv12SlotFrame* frame_new(FrameRef frame) {
  return new GstNv12SlotFrame(std::move(frame));
}

const FrameRef& frame_peek(const GstNv12SlotFrame* frame) {
  return frame->frame;
}

// Two of H.273's numbers are no answer: 2 is unspecified, and 0 reserved, or for the matrix that of
// RGB, which NV12 is not.
FrameColour to_frame_colour(const GstVideoColorimetry& colorimetry) {
  const auto known = [](guint number) { return number != 2 ? static_cast<int>(number) : 0; };
  return {.range = colorimetry.range,
          .matrix = known(gst_video_color_matrix_to_iso(colorimetry.matrix)),
          .transfer = known(gst_video_transfer_function_to_iso(colorimetry.transfer)),
          .primaries = known(gst_video_color_primaries_to_iso(colorimetry.primaries))};
}

GstVideoColorimetry to_colorimetry(const FrameColour& colour) {
  static_assert(GST_VIDEO_COLOR_RANGE_0_255 == 1 && GST_VIDEO_COLOR_RANGE_16_235 == 2);
  const auto number = [](int known) { return known != 0 ? static_cast<guint>(known) : 2U; };
  return {.range = static_cast<GstVideoColorRange>(colour.range),
          .matrix = gst_video_color_matrix_from_iso(number(colour.matrix)),
          .transfer = gst_video_transfer_function_from_iso(number(colour.transfer)),
          .primaries = gst_video_color_primaries_from_iso(number(colour.primaries))};
}

}  // namespace nv12slot::gst

GstNv12SlotFrame* gst_nv12_slot_frame_lookup(guint64 id) {
  nv12slot::FrameRef frame = nv12slot::Process::get().registry->lookup(id);
  return frame ? nv12slot::gst::frame_new(std::move(frame)) : nullptr;
}

GstNv12SlotFrame* gst_nv12_slot_frame_ref(GstNv12SlotFrame* frame) {
  g_return_val_if_fail(frame != nullptr, nullptr);
  frame->references.fetch_add(1, std::memory_order_relaxed);
  return frame;
}

void gst_nv12_slot_frame_unref(GstNv12SlotFrame* frame) {
  g_return_if_fail(frame != nullptr);
  if (frame->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete frame;
}

void gst_nv12_slot_frame_get_planes(const GstNv12SlotFrame* frame, GstNv12SlotPlanes* planes) {
  g_return_if_fail(frame != nullptr);
  g_return_if_fail(planes != nullptr);
  const nv12slot::Nv12Planes from = frame->frame.planes();
  const nv12slot::Nv12Layout& layout = frame->frame.layout();
  *planes = {{from.y, from.uv}, {from.y_pitch, from.uv_pitch}, layout.width, layout.height};
}

gint gst_nv12_slot_frame_get_device(const GstNv12SlotFrame* frame) {
  g_return_val_if_fail(frame != nullptr, nv12slot::kHostDomain);
  return frame->frame.domain();
}

guint64 gst_nv12_slot_frame_get_id(const GstNv12SlotFrame* frame) {
  g_return_val_if_fail(frame != nullptr, 0);
  return frame->frame.id();
}

const gchar* gst_nv12_slot_frame_get_source_name(const GstNv12SlotFrame* frame) {
  g_return_val_if_fail(frame != nullptr, nullptr);
  return frame->frame.source_name().c_str();
}

GstClockTime gst_nv12_slot_frame_get_pts(const GstNv12SlotFrame* frame) {
  g_return_val_if_fail(frame != nullptr, GST_CLOCK_TIME_NONE);
  static_assert(nv12slot::kNoPts == GST_CLOCK_TIME_NONE);
  return frame->frame.pts();
}

void gst_nv12_slot_frame_get_colorimetry(const GstNv12SlotFrame* frame,
                                         GstVideoColorimetry* colorimetry) {
  g_return_if_fail(frame != nullptr);
  g_return_if_fail(colorimetry != nullptr);
  *colorimetry = nv12slot::gst::to_colorimetry(frame->frame.colour());
}

gboolean gst_nv12_slot_frame_is_complete(const GstNv12SlotFrame* frame) {
  g_return_val_if_fail(frame != nullptr, FALSE);
  return frame->frame.is_complete_at_attach();
}

gboolean gst_nv12_slot_frame_wait(const GstNv12SlotFrame* frame, gpointer stream) {
  g_return_val_if_fail(frame != nullptr, FALSE);
  const nv12slot::Status status = frame->frame.wait(stream);
  if (!status) GST_ERROR("wait: %s", status.error().message.c_str());
  return status.ok();
}

gboolean gst_nv12_slot_frame_fence(GstNv12SlotFrame* frame, gint device, gpointer stream) {
  g_return_val_if_fail(frame != nullptr, FALSE);
  nv12slot::Device* stream_device = nullptr;
  if (device >= 0) {
    auto found = nv12slot::Process::get().pool->device(device);
    if (!found) {
      frame->frame.set_reader_without_fence();
      GST_ERROR("fence: %s", found.error().message.c_str());
      return FALSE;
    }
    stream_device = *found;
  }
  const nv12slot::Status status = frame->frame.fence(stream, stream_device);
  if (!status) GST_ERROR("fence: %s", status.error().message.c_str());
  return status.ok();
}
