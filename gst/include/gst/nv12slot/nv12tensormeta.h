// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slotframe.h>

G_BEGIN_DECLS

#define GST_NV12_TENSOR_META_API_TYPE (gst_nv12_tensor_meta_api_get_type())
#define GST_NV12_TENSOR_META_INFO (gst_nv12_tensor_meta_get_info())

/**
 * GstNv12TensorType:
 * @GST_NV12_TENSOR_UINT8: unsigned bytes
 * @GST_NV12_TENSOR_FLOAT16: IEEE 754 binary16
 * @GST_NV12_TENSOR_FLOAT32: IEEE 754 binary32
 *
 * What a tensor's elements are.
 *
 * Since: 0.1
 */
typedef enum {
  GST_NV12_TENSOR_UINT8,
  GST_NV12_TENSOR_FLOAT16,
  GST_NV12_TENSOR_FLOAT32,
} GstNv12TensorType;

/**
 * GstNv12TensorItem:
 * @frame_id: the frame's number, as of gst_nv12_slot_frame_get_id(); 0 where the picture was in no
 *     slot
 * @source_name: the name of the frame's source; where it was in no slot, of the pad it came by
 * @pts: the frame's presentation time in nanoseconds, of its own camera, or %GST_CLOCK_TIME_NONE
 * @width: pixels in a row of the picture
 * @height: rows of the picture
 * @scale_x: tensor columns for each pixel of the picture
 * @scale_y: tensor rows for each row of the picture
 * @offset_x: the tensor's column in which the picture begins
 * @offset_y: the tensor's row in which the picture begins
 *
 * Which frame is at one place of a batch, and where its picture lies. A point of the tensor is the
 * picture's ((x - offset_x) / scale_x, (y - offset_y) / scale_y).
 *
 * Since: 0.1
 */
typedef struct {
  guint64 frame_id;
  gchar* source_name;
  GstClockTime pts;
  guint width;
  guint height;
  gdouble scale_x;
  gdouble scale_y;
  gdouble offset_x;
  gdouble offset_y;
} GstNv12TensorItem;

/**
 * GstNv12TensorMeta:
 * @meta: the parent
 * @frame: (transfer none): what keeps the tensor's memory: wait for it, fence it and keep a
 *     reference to it as with a picture. It has no planes
 * @data: the tensor's address: a CUdeviceptr value where it is on a device, else a pointer
 * @type: what its elements are
 * @shape: batch, and three more from the slowest to the fastest: channels, rows and columns (NCHW),
 *     or rows, columns and channels (NHWC). Dense: no gaps anywhere
 * @n_items: how many places of the batch have a picture, from the first on; what is in the others
 *     is not defined
 * @items: (skip): the frames; gst_nv12_tensor_meta_get_item() for languages without pointers
 *
 * Describes a tensor that nv12slottensor made. Shallow copies of the buffer carry it along; deep
 * copies and parts of a buffer do not, as their memory is another.
 *
 * Since: 0.1
 */
typedef struct {
  GstMeta meta;
  GstNv12SlotFrame* frame;
  guint64 data;
  GstNv12TensorType type;
  guint shape[4];
  guint n_items;
  GstNv12TensorItem* items;
} GstNv12TensorMeta;

GST_NV12_SLOT_API
GType gst_nv12_tensor_meta_api_get_type(void);

GST_NV12_SLOT_API
const GstMetaInfo* gst_nv12_tensor_meta_get_info(void);

/**
 * gst_buffer_get_nv12_tensor_meta:
 * @buffer: a buffer
 *
 * Returns: (transfer none) (nullable): the buffer's tensor meta, %NULL if nv12slottensor did not
 *     make it
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstNv12TensorMeta* gst_buffer_get_nv12_tensor_meta(GstBuffer* buffer);

/**
 * gst_nv12_tensor_meta_get_item:
 * @meta: a buffer's tensor meta
 * @index: a place of the batch, less than @meta's n_items
 *
 * Returns: (transfer none) (nullable): which frame is there and where its picture lies, as long as
 *     @meta; %NULL if there is none
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
const GstNv12TensorItem* gst_nv12_tensor_meta_get_item(const GstNv12TensorMeta* meta, guint index);

/**
 * gst_nv12_tensor_meta_export_dlpack:
 * @meta: a buffer's tensor meta
 *
 * The whole batch for whatever takes DLPack tensors, as gst_nv12_slot_frame_export_dlpack() gives a
 * plane: in place, with @meta's type and shape, dense. Wait and fence likewise, with @meta's frame.
 *
 * Returns: (transfer full) (nullable): a DLManagedTensor of DLPack before 1.0, to be consumed
 *     (named "dltensor" in a Python capsule) or given to gst_nv12_slot_dlpack_free(); %NULL where
 *     @meta has no frame, no address, a side of 0, or more bytes than a slot can have (1 GiB)
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gpointer gst_nv12_tensor_meta_export_dlpack(const GstNv12TensorMeta* meta);

G_END_DECLS
