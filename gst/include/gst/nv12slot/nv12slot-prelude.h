// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#define GST_NV12_SLOT_API __attribute__((visibility("default")))
