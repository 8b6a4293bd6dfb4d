// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_NV12_SLOT_TENSOR (gst_nv12_slot_tensor_get_type())
G_DECLARE_FINAL_TYPE(GstNv12SlotTensor, gst_nv12_slot_tensor, GST, NV12_SLOT_TENSOR, GstElement)

GST_ELEMENT_REGISTER_DECLARE(nv12slottensor)

G_END_DECLS
