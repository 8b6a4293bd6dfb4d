// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_NV12_SLOT_SRC (gst_nv12_slot_src_get_type())
G_DECLARE_FINAL_TYPE(GstNv12SlotSrc, gst_nv12_slot_src, GST, NV12_SLOT_SRC, GstBin)
GST_ELEMENT_REGISTER_DECLARE(nv12slotsrc)

G_END_DECLS
