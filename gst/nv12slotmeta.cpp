// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/nv12slot/nv12slotmeta.h>

#include <gst/video/video.h>

namespace {

gboolean slot_meta_init(GstMeta* meta, gpointer, GstBuffer*) {
  reinterpret_cast<GstNv12SlotMeta*>(meta)->frame = nullptr;
  return TRUE;
}

void slot_meta_free(GstMeta* meta, GstBuffer*) {
  g_clear_pointer(&reinterpret_cast<GstNv12SlotMeta*>(meta)->frame, gst_nv12_slot_frame_unref);
}

gboolean slot_meta_transform(GstBuffer* to, GstMeta* meta, GstBuffer*, GQuark type, gpointer data) {
  if (!GST_META_TRANSFORM_IS_COPY(type)) return FALSE;  // scaled, converted: another picture
  // A part of the buffer is not the frame. No failure, for which GStreamer would log an error.
  if (static_cast<const GstMetaTransformCopy*>(data)->region) return TRUE;
  if (gst_buffer_get_nv12_slot_meta(to) != nullptr) return TRUE;
  auto* copy =
      reinterpret_cast<GstNv12SlotMeta*>(gst_buffer_add_meta(to, GST_NV12_SLOT_META_INFO, nullptr));
  if (copy == nullptr) return FALSE;
  GstNv12SlotFrame* const frame = reinterpret_cast<GstNv12SlotMeta*>(meta)->frame;
  copy->frame = frame != nullptr ? gst_nv12_slot_frame_ref(frame) : nullptr;
  return TRUE;
}

// A type of its own and not a parameter of the slot meta: tee drops metas that have parameters as
// soon as a second branch has them too.
GType reader_api_type() {
  static const GType type = [] {
    // Tagged, so that elements with memory of their own do not pass the promise of others on.
    static const gchar* tags[] = {GST_META_TAG_MEMORY_REFERENCE_STR, nullptr};
    return gst_meta_api_type_register("GstNv12SlotReaderAPI", tags);
  }();
  return type;
}

GstPadProbeReturn answer_allocation(GstPad*, GstPadProbeInfo* info, gpointer) {
  GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
  if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return GST_PAD_PROBE_OK;
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  gst_nv12_slot_query_add_reader(query);
  return GST_PAD_PROBE_HANDLED;
}

}  // namespace

GType gst_nv12_slot_meta_api_get_type() {
  static const GType type = [] {
    // Deep copies have memory of their own and must not hold the slot.
    static const gchar* tags[] = {GST_META_TAG_MEMORY_REFERENCE_STR, nullptr};
    return gst_meta_api_type_register("GstNv12SlotMetaAPI", tags);
  }();
  return type;
}

const GstMetaInfo* gst_nv12_slot_meta_get_info() {
  static const GstMetaInfo* const info =
      gst_meta_register(GST_NV12_SLOT_META_API_TYPE, "GstNv12SlotMeta", sizeof(GstNv12SlotMeta),
                        slot_meta_init, slot_meta_free, slot_meta_transform);
  return info;
}

GstNv12SlotMeta* gst_buffer_get_nv12_slot_meta(GstBuffer* buffer) {
  return reinterpret_cast<GstNv12SlotMeta*>(
      gst_buffer_get_meta(buffer, GST_NV12_SLOT_META_API_TYPE));
}

GstNv12SlotFrame* gst_nv12_slot_frame_from_buffer(GstBuffer* buffer) {
  g_return_val_if_fail(GST_IS_BUFFER(buffer), nullptr);
  const GstNv12SlotMeta* meta = gst_buffer_get_nv12_slot_meta(buffer);
  return meta != nullptr && meta->frame != nullptr ? gst_nv12_slot_frame_ref(meta->frame) : nullptr;
}

void gst_nv12_slot_query_add_reader(GstQuery* query) {
  g_return_if_fail(GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION);
  gst_query_add_allocation_meta(query, reader_api_type(), nullptr);
}

gboolean gst_nv12_slot_query_has_reader(GstQuery* query) {
  g_return_val_if_fail(GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION, FALSE);
  return gst_query_find_allocation_meta(query, reader_api_type(), nullptr);
}

gulong gst_nv12_slot_declare_reader(GstPad* pad) {
  g_return_val_if_fail(GST_IS_PAD(pad), 0);
  g_return_val_if_fail(GST_PAD_IS_SINK(pad), 0);
  const gulong id = gst_pad_add_probe(
      pad,
      static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH),
      answer_allocation, nullptr, nullptr);
  gst_pad_push_event(pad, gst_event_new_reconfigure());
  return id;
}

void gst_nv12_slot_undeclare_reader(GstPad* pad, gulong id) {
  g_return_if_fail(GST_IS_PAD(pad));
  g_return_if_fail(GST_PAD_IS_SINK(pad));
  gst_pad_remove_probe(pad, id);
  gst_pad_push_event(pad, gst_event_new_reconfigure());
}
