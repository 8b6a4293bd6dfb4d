// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slotframe.h>

G_BEGIN_DECLS

/**
 * GstNv12SlotMap:
 * @data: (skip): addresses of the Y plane and the interleaved UV plane in host memory, read-only
 * @stride: bytes from row to row
 * @width: pixels in a row, even
 * @height: rows of Y, even; UV has half as many
 *
 * A frame's picture as the CPU sees it.
 *
 * Since: 0.1
 */
typedef struct {
  const guint8* data[2];
  gsize stride[2];
  guint width;
  guint height;

  /*< private >*/
  gpointer view;
  gpointer _gst_reserved[GST_PADDING];
} GstNv12SlotMap;

/**
 * gst_nv12_slot_frame_map:
 * @frame: a frame
 * @map: (out caller-allocates): the picture in host memory
 *
 * Makes the picture readable by the CPU, complete: neither gst_nv12_slot_frame_wait() nor
 * gst_nv12_slot_frame_fence() is needed for it. A picture of the host is seen where it is, and its
 * slot is kept until it is unmapped. One of a device is copied, and the calling thread is blocked
 * until that is done; every call makes a copy of its own. Do not write into it.
 *
 * Returns: %TRUE if @map was filled and is to be given to gst_nv12_slot_frame_unmap(); %FALSE when
 *     the device failed
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gboolean gst_nv12_slot_frame_map(const GstNv12SlotFrame* frame, GstNv12SlotMap* map);

/**
 * gst_nv12_slot_frame_unmap:
 * @frame: the frame
 * @map: what gst_nv12_slot_frame_map() filled
 *
 * Ends the reading: the addresses in @map are not valid any more.
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
void gst_nv12_slot_frame_unmap(const GstNv12SlotFrame* frame, GstNv12SlotMap* map);

/**
 * gst_nv12_slot_map_get_plane:
 * @map: what gst_nv12_slot_frame_map() filled
 * @plane: 0 for Y, 1 for UV
 *
 * A plane with its padding, for languages without pointers: row r begins at r times the stride.
 *
 * Returns: (transfer full) (nullable): the bytes, not copied. They stay valid after
 *     gst_nv12_slot_frame_unmap(), and keep what the map kept. %NULL if there is no such plane
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GBytes* gst_nv12_slot_map_get_plane(const GstNv12SlotMap* map, guint plane);

G_END_DECLS
