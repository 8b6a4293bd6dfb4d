// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot-prelude.h>

/// The category of the library and of what its elements share; what libnv12slot says goes there
/// too. Set up by init_debug().
GST_NV12_SLOT_API GST_DEBUG_CATEGORY_EXTERN(gst_nv12_slot_debug);

namespace nv12slot::gst {

/// Creates the category and sends libnv12slot's messages there. Every type's class_init calls it;
/// only the first call does something.
GST_NV12_SLOT_API void init_debug();

}  // namespace nv12slot::gst
