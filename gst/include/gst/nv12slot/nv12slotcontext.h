// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot-prelude.h>

G_BEGIN_DECLS

/**
 * gst_nv12_slot_cuda_context:
 * @device: ordinal of a CUDA device
 *
 * The one GstCudaContext in which this process has the slots of @device. It wraps the device's
 * primary context, which CUDA's runtime API, TensorRT, ONNX Runtime and PyTorch use too. Elements
 * of gst-cuda share memory only if they share this very object; nv12slotcopy hands it to its
 * neighbours by itself, an application with several pipelines has nothing to do either.
 *
 * Returns: (transfer none) (nullable) (type GstObject): the GstCudaContext, which lives as long as
 *     the process; %NULL without a driver, without that device, or in a build without CUDA
 *
 * Since: 0.1
 */
GST_NV12_SLOT_API
GstObject* gst_nv12_slot_cuda_context(gint device);

G_END_DECLS
