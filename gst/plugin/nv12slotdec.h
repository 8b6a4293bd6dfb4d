// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/gstvideodecoder.h>

G_BEGIN_DECLS

#define GST_TYPE_NV12_SLOT_DEC (gst_nv12_slot_dec_get_type())
G_DECLARE_FINAL_TYPE(GstNv12SlotDec, gst_nv12_slot_dec, GST, NV12_SLOT_DEC, GstVideoDecoder)
GST_ELEMENT_REGISTER_DECLARE(nv12slotdec)

G_END_DECLS
