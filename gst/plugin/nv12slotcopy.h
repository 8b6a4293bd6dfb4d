// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_NV12_SLOT_COPY (gst_nv12_slot_copy_get_type())
G_DECLARE_FINAL_TYPE(GstNv12SlotCopy, gst_nv12_slot_copy, GST, NV12_SLOT_COPY, GstElement)
GST_ELEMENT_REGISTER_DECLARE(nv12slotcopy)

G_END_DECLS
