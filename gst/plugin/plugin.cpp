// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include "config.h"
#include "nv12slotcopy.h"
#include "nv12slottensor.h"
#ifdef HAVE_FFMPEG
#include "nv12slotdec.h"
#include "nv12slotsrc.h"
#endif

// TRUE also without a GPU: FALSE would blacklist the plugin until its file changes.
static gboolean plugin_init(GstPlugin* plugin) {
  gboolean registered = GST_ELEMENT_REGISTER(nv12slotcopy, plugin);
  registered = GST_ELEMENT_REGISTER(nv12slottensor, plugin) && registered;
#ifdef HAVE_FFMPEG
  registered = GST_ELEMENT_REGISTER(nv12slotdec, plugin) && registered;
  registered = GST_ELEMENT_REGISTER(nv12slotsrc, plugin) && registered;
#endif
  return registered;
}

#define PACKAGE PACKAGE_NAME
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, nv12slot,
                  "Decoded NV12 frames that outlive their camera", plugin_init, PACKAGE_VERSION,
                  "LGPL", PACKAGE_NAME, PACKAGE_ORIGIN)
