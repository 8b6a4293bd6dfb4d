// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slotframe.h>

G_BEGIN_DECLS

/**
 * gst_nv12_slot_frame_export_dlpack:
 * @frame: a frame
 * @plane: 0 for Y, 1 for UV
 *
 * A plane for whatever takes DLPack tensors (NumPy, PyTorch, CuPy, JAX, ONNX Runtime), which reads
 * it in place. Unsigned 8-bit samples; Y of the shape (height, width), UV of (height / 2, width /
 * 2, 2); rows are padded, so the strides matter. The device is kDLCPU, or kDLCUDA with the frame's
 * ordinal. Do not write into it.
 *
 * The tensor has a reference to the frame, and its deleter, which any thread may call, gives it up.
 * Nothing is waited for: call gst_nv12_slot_frame_wait() with the reader's stream first, and
 * gst_nv12_slot_frame_fence() after the last read and before the tensor is deleted.
 *
 * Returns: (transfer full) (nullable): a DLManagedTensor of DLPack before 1.0, to be consumed
 *     (named "dltensor" in a Python capsule) or given to gst_nv12_slot_dlpack_free(); %NULL if
 * there is no such plane
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
gpointer gst_nv12_slot_frame_export_dlpack(GstNv12SlotFrame* frame, guint plane);

/**
 * gst_nv12_slot_dlpack_free:
 * @tensor: what gst_nv12_slot_frame_export_dlpack() returned, not consumed
 *
 * Calls the tensor's deleter, for callers without DLPack's header.
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
void gst_nv12_slot_dlpack_free(gpointer tensor);

G_END_DECLS
