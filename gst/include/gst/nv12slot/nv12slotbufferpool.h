// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot-prelude.h>

G_BEGIN_DECLS

#define GST_TYPE_NV12_SLOT_BUFFER_POOL (gst_nv12_slot_buffer_pool_get_type())
#define GST_NV12_SLOT_BUFFER_POOL(obj) \
  (G_TYPE_CHECK_INSTANCE_CAST((obj), GST_TYPE_NV12_SLOT_BUFFER_POOL, GstNv12SlotBufferPool))
#define GST_IS_NV12_SLOT_BUFFER_POOL(obj) \
  (G_TYPE_CHECK_INSTANCE_TYPE((obj), GST_TYPE_NV12_SLOT_BUFFER_POOL))

/**
 * GST_NV12_SLOT_FLOW_EXHAUSTED:
 *
 * What gst_buffer_pool_acquire_buffer() returns when there is no slot to be had (within the
 * "timeout", if one is set): the cap is reached, the quota is used up or the device has no memory.
 * The pool stays usable.
 *
 * Since: 0.1
 */
#define GST_NV12_SLOT_FLOW_EXHAUSTED GST_FLOW_CUSTOM_ERROR

/**
 * GstNv12SlotBufferPool:
 *
 * Hands slots of the process-wide pool out as buffers with one memory and a #GstVideoMeta. It keeps
 * nothing: there is no preallocation, and a buffer that comes back gives its slot up at once. The
 * numbers of buffers in the configuration therefore mean nothing; the cap of the process-wide pool
 * and the "quota" of this one limit how many slots are out.
 *
 * Where the plugin was built with CUDA this is a GstCudaBufferPool, and its memories are
 * GstCudaMemory if the pool is one of a device.
 *
 * Properties: "device" (gint, ordinal of the CUDA device or -1 for the host; read-only), "timeout"
 * (guint64, nanoseconds that acquire waits for a slot, 0 not at all, the default), "quota" (guint,
 * slots out at a time at most, 0 no limit, the default). Changes take effect at the next acquire.
 * %GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT makes acquire not wait whatever "timeout" says.
 *
 * Since: 0.1
 */
typedef struct _GstNv12SlotBufferPool GstNv12SlotBufferPool;

GST_NV12_SLOT_API
GType gst_nv12_slot_buffer_pool_get_type(void);

/**
 * gst_nv12_slot_buffer_pool_new:
 * @device: ordinal of a CUDA device, or -1 for the host
 *
 * Returns: (transfer full) (nullable): a pool, to be configured with NV12 caps of an even width and
 *     height; %NULL if there is no such device
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstBufferPool* gst_nv12_slot_buffer_pool_new(gint device);

G_END_DECLS
