// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot-prelude.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_TYPE_NV12_SLOT_FRAME (gst_nv12_slot_frame_get_type())

/**
 * GstNv12SlotFrame:
 *
 * A counted reference to one picture in a slot. The picture stays readable, at the same address,
 * until the last reference is gone, whatever becomes of the buffer, the element, the pipeline or
 * the camera it came from.
 *
 * Every function may be called from any thread, also at the same time for one frame. None needs a
 * current CUDA context, and each leaves the caller's as it was.
 *
 * Since: 0.1
 */
typedef struct _GstNv12SlotFrame GstNv12SlotFrame;

/**
 * GstNv12SlotPlanes:
 * @data: addresses of the Y plane and the interleaved UV plane: CUdeviceptr values where the frame
 *     is on a device, pointers where it is on the host
 * @stride: bytes from row to row
 * @width: pixels in a row, even
 * @height: rows of Y, even; UV has half as many
 *
 * Where a picture lies.
 *
 * Since: 0.1
 */
typedef struct {
  guint64 data[2];
  gsize stride[2];
  guint width;
  guint height;
} GstNv12SlotPlanes;

GST_NV12_SLOT_API
GType gst_nv12_slot_frame_get_type(void);

/**
 * gst_nv12_slot_frame_lookup:
 * @id: what gst_nv12_slot_frame_get_id() returned, in whichever thread or library of this process
 *
 * Finds a frame for code that has only a number, such as an engine at the other end of a queue. The
 * frame must be kept by somebody else until then.
 *
 * Returns: (transfer full) (nullable): a reference to the frame of that id; %NULL if its last
 *     reference is gone, and never another frame
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstNv12SlotFrame* gst_nv12_slot_frame_lookup(guint64 id);

/**
 * gst_nv12_slot_frame_from_buffer:
 * @buffer: a buffer
 *
 * The frame of the buffer's #GstNv12SlotMeta, for as long as the caller likes.
 *
 * Returns: (transfer full) (nullable): a reference to the frame, %NULL if @buffer is not one
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstNv12SlotFrame* gst_nv12_slot_frame_from_buffer(GstBuffer* buffer);

/**
 * gst_nv12_slot_frame_ref: (skip)
 * @frame: a frame
 *
 * Returns: (transfer full): @frame, with one reference more
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstNv12SlotFrame* gst_nv12_slot_frame_ref(GstNv12SlotFrame* frame);

/**
 * gst_nv12_slot_frame_unref: (skip)
 * @frame: (transfer full): a frame
 *
 * Gives a reference up. Once the last one of the frame is gone, its slot is used again as soon as
 * every fence on it is complete and, if a reader may have left none, the cooldown has passed.
 * Never blocks on the GPU.
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
void gst_nv12_slot_frame_unref(GstNv12SlotFrame* frame);

/**
 * gst_nv12_slot_frame_get_planes:
 * @frame: a frame
 * @planes: (out caller-allocates): where the picture lies
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
void gst_nv12_slot_frame_get_planes(const GstNv12SlotFrame* frame, GstNv12SlotPlanes* planes);

/**
 * gst_nv12_slot_frame_get_device:
 * @frame: a frame
 *
 * Returns: the ordinal of the CUDA device the picture is on (in its primary context), -1 on the
 *     host
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gint gst_nv12_slot_frame_get_device(const GstNv12SlotFrame* frame);

/**
 * gst_nv12_slot_frame_get_id:
 * @frame: a frame
 *
 * Returns: the number that names the frame in the process; never 0 and never used again
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
guint64 gst_nv12_slot_frame_get_id(const GstNv12SlotFrame* frame);

/**
 * gst_nv12_slot_frame_get_source_name:
 * @frame: a frame
 *
 * Returns: (transfer none): the name of the source, valid as long as @frame
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
const gchar* gst_nv12_slot_frame_get_source_name(const GstNv12SlotFrame* frame);

/**
 * gst_nv12_slot_frame_get_pts:
 * @frame: a frame
 *
 * Returns: the buffer's presentation time, in nanoseconds, or %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstClockTime gst_nv12_slot_frame_get_pts(const GstNv12SlotFrame* frame);

/**
 * gst_nv12_slot_frame_get_colorimetry:
 * @frame: a frame
 * @colorimetry: (out caller-allocates): what the picture's numbers mean in colour, as the caps of
 *     its stream said (where they were silent, GStreamer's default for the size)
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
void gst_nv12_slot_frame_get_colorimetry(const GstNv12SlotFrame* frame,
                                         GstVideoColorimetry* colorimetry);

/**
 * gst_nv12_slot_frame_is_complete:
 * @frame: a frame
 *
 * Returns: %TRUE if the picture was complete when the buffer was pushed. It always is, unless every
 *     consumer has declared itself with gst_nv12_slot_query_add_reader().
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gboolean gst_nv12_slot_frame_is_complete(const GstNv12SlotFrame* frame);

/**
 * gst_nv12_slot_frame_wait:
 * @frame: a frame
 * @stream: (nullable): a CUstream (a cudaStream_t is one), %NULL for the default stream
 *
 * Orders @stream after the copy that fills the slot: what is put into it from now on sees the whole
 * picture. Does not block. Does nothing where the picture is complete already.
 *
 * Returns: %FALSE when the device failed; the picture must not be read then
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gboolean gst_nv12_slot_frame_wait(const GstNv12SlotFrame* frame, gpointer stream);

/**
 * gst_nv12_slot_frame_fence:
 * @frame: a frame
 * @device: ordinal of the device that @stream belongs to, -1 for the frame's own
 * @stream: (nullable): a CUstream (a cudaStream_t is one), %NULL for the default stream
 *
 * Says that this reader's use of the picture ends with what is in @stream now. The slot is not used
 * again before that is done. Call it after the last kernel or copy that reads, before the reference
 * (or the buffer) is given up. Does not block.
 *
 * Returns: %FALSE when the device failed or @device is not valid; the slot then keeps its cooldown
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gboolean gst_nv12_slot_frame_fence(GstNv12SlotFrame* frame, gint device, gpointer stream);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstNv12SlotFrame, gst_nv12_slot_frame_unref)

G_END_DECLS
