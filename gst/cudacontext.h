// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slotcontext.h>

#include "nv12slot/device.h"
#include "raii.h"

// The GstContext side of gst_nv12_slot_cuda_context(). Without CUDA no message is one of CUDA's.
namespace nv12slot::gst {

/// The GstCudaContext in a "gst.cuda.context" message, whatever its device; empty if there is none.
[[nodiscard]] GST_NV12_SLOT_API ObjectPtr<GstObject> cuda_context_of(GstContext* context);
/// The CUcontext that a GstCudaContext stands for.
[[nodiscard]] GST_NV12_SLOT_API void* cuda_context_handle(GstObject* cuda_context);
/// Whether a CONTEXT query is about CUDA.
[[nodiscard]] GST_NV12_SLOT_API bool is_cuda_context_query(GstQuery* query);
/// Answers such a query if it is about the device of `cuda_context`; false if it is not.
[[nodiscard]] GST_NV12_SLOT_API bool cuda_context_answer(GstElement* element, GstQuery* query,
                                                         GstObject* cuda_context);
/// Tells the bins above, which tell their other elements.
GST_NV12_SLOT_API void cuda_context_post(GstElement* element, GstObject* cuda_context);

}  // namespace nv12slot::gst
