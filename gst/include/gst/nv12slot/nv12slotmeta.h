// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slotframe.h>

G_BEGIN_DECLS

#define GST_NV12_SLOT_META_API_TYPE (gst_nv12_slot_meta_api_get_type())
#define GST_NV12_SLOT_META_INFO (gst_nv12_slot_meta_get_info())

/**
 * GstNv12SlotMeta:
 * @meta: the parent
 * @frame: (transfer none): the frame that the buffer's memory holds; take a reference with
 *     gst_nv12_slot_frame_ref() to keep it for longer than the buffer
 *
 * Says that a buffer's memory is a slot. Shallow copies of the buffer carry it along with a
 * reference of their own; deep copies and parts of a buffer do not, as their memory is another.
 *
 * Since: 0.1
 */
typedef struct {
  GstMeta meta;
  GstNv12SlotFrame* frame;
} GstNv12SlotMeta;

GST_NV12_SLOT_API
GType gst_nv12_slot_meta_api_get_type(void);

GST_NV12_SLOT_API
const GstMetaInfo* gst_nv12_slot_meta_get_info(void);

/**
 * gst_buffer_get_nv12_slot_meta:
 * @buffer: a buffer
 *
 * Returns: (transfer none) (nullable): the buffer's slot meta, %NULL if it is not a slot frame
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstNv12SlotMeta* gst_buffer_get_nv12_slot_meta(GstBuffer* buffer);

/**
 * gst_nv12_slot_query_add_reader:
 * @query: an ALLOCATION query, writable
 *
 * For the ALLOCATION answer of an element that reads slot frames on a GPU: a promise to call
 * gst_nv12_slot_frame_wait() before the first and gst_nv12_slot_frame_fence() after the last access
 * to every frame. If every consumer promises that, a camera's thread never waits for its copy, and
 * a slot is used again without a cooldown. A consumer that promises it and then reads without
 * waiting sees half a picture.
 *
 * Elements that work on all buffers, such as tee, keep the promise only if all branches made it.
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
void gst_nv12_slot_query_add_reader(GstQuery* query);

/**
 * gst_nv12_slot_query_has_reader:
 * @query: an ALLOCATION query that was answered
 *
 * Returns: %TRUE if who answered made the promise of gst_nv12_slot_query_add_reader()
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gboolean gst_nv12_slot_query_has_reader(GstQuery* query);

/**
 * gst_nv12_slot_declare_reader:
 * @pad: a sink pad, for instance an appsink's
 *
 * Makes the promise of gst_nv12_slot_query_add_reader() for a pad whose element cannot make it
 * itself. From now on ALLOCATION queries on @pad are answered here (the element's own answer, if it
 * has one, is not asked for): the promise and support of #GstVideoMeta.
 *
 * Upstream is asked to look again; on a running pad, frames that are under way come as before.
 *
 * Returns: the id of the promise, for gst_nv12_slot_undeclare_reader()
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gulong gst_nv12_slot_declare_reader(GstPad* pad);

/**
 * gst_nv12_slot_undeclare_reader:
 * @pad: the sink pad
 * @id: what gst_nv12_slot_declare_reader() returned
 *
 * Takes the promise back and asks upstream to look again. It holds for the frames that come until
 * upstream has done so: wait for them and fence them still.
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
void gst_nv12_slot_undeclare_reader(GstPad* pad, gulong id);

G_END_DECLS
