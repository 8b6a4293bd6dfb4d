// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot-version.h>
#include <gst/nv12slot/nv12slotbufferpool.h>
#include <gst/nv12slot/nv12slotcontext.h>
#include <gst/nv12slot/nv12slotdlpack.h>
#include <gst/nv12slot/nv12slotframe.h>
#include <gst/nv12slot/nv12slotmap.h>
#include <gst/nv12slot/nv12slotmeta.h>
#include <gst/nv12slot/nv12tensormeta.h>
