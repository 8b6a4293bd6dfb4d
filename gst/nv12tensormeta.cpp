// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/nv12slot/nv12tensormeta.h>

namespace {

GstNv12TensorMeta* tensor_meta(GstMeta* meta) {
  return reinterpret_cast<GstNv12TensorMeta*>(meta);
}

gboolean tensor_meta_init(GstMeta* meta, gpointer, GstBuffer*) {
  GstNv12TensorMeta* const tensor = tensor_meta(meta);
  tensor->frame = nullptr;
  tensor->data = 0;
  tensor->type = GST_NV12_TENSOR_UINT8;
  for (guint& side : tensor->shape) side = 0;
  tensor->n_items = 0;
  tensor->items = nullptr;
  return TRUE;
}

void tensor_meta_free(GstMeta* meta, GstBuffer*) {
  GstNv12TensorMeta* const tensor = tensor_meta(meta);
  for (guint i = 0; i < tensor->n_items; ++i) g_free(tensor->items[i].source_name);
  g_free(tensor->items);
  g_clear_pointer(&tensor->frame, gst_nv12_slot_frame_unref);
}

gboolean tensor_meta_transform(GstBuffer* to, GstMeta* meta, GstBuffer*, GQuark type,
                               gpointer data) {
  if (!GST_META_TRANSFORM_IS_COPY(type)) return FALSE;
  // A part of the buffer is not the tensor. No failure, for which GStreamer would log an error.
  if (static_cast<const GstMetaTransformCopy*>(data)->region) return TRUE;
  if (gst_buffer_get_nv12_tensor_meta(to) != nullptr) return TRUE;
  GstMeta* const added = gst_buffer_add_meta(to, GST_NV12_TENSOR_META_INFO, nullptr);
  if (added == nullptr) return FALSE;
  const GstNv12TensorMeta* const from = tensor_meta(meta);
  GstNv12TensorMeta* const copy = tensor_meta(added);
  const GstMeta parent = copy->meta;
  *copy = *from;
  copy->meta = parent;
  copy->frame = from->frame != nullptr ? gst_nv12_slot_frame_ref(from->frame) : nullptr;
  copy->items = g_new(GstNv12TensorItem, from->n_items);
  for (guint i = 0; i < from->n_items; ++i) {
    copy->items[i] = from->items[i];
    copy->items[i].source_name = g_strdup(from->items[i].source_name);
  }
  return TRUE;
}

}  // namespace

GType gst_nv12_tensor_meta_api_get_type() {
  static const GType type = [] {
    // Deep copies have memory of their own and must not hold the slot.
    static const gchar* tags[] = {GST_META_TAG_MEMORY_REFERENCE_STR, nullptr};
    return gst_meta_api_type_register("GstNv12TensorMetaAPI", tags);
  }();
  return type;
}

const GstMetaInfo* gst_nv12_tensor_meta_get_info() {
  static const GstMetaInfo* const info = gst_meta_register(
      GST_NV12_TENSOR_META_API_TYPE, "GstNv12TensorMeta", sizeof(GstNv12TensorMeta),
      tensor_meta_init, tensor_meta_free, tensor_meta_transform);
  return info;
}

GstNv12TensorMeta* gst_buffer_get_nv12_tensor_meta(GstBuffer* buffer) {
  return reinterpret_cast<GstNv12TensorMeta*>(
      gst_buffer_get_meta(buffer, GST_NV12_TENSOR_META_API_TYPE));
}

const GstNv12TensorItem* gst_nv12_tensor_meta_get_item(const GstNv12TensorMeta* meta, guint index) {
  g_return_val_if_fail(meta != nullptr, nullptr);
  return index < meta->n_items ? &meta->items[index] : nullptr;
}
