// SPDX-License-Identifier: LGPL-2.1-or-later
#include "leaks.h"

#include <gst/gst.h>

#include <cstdio>

namespace nv12slot::gst {
namespace {

bool g_is_watched = false;
unsigned g_left = 0;

// The tracer says it in its log only. Its signal "get-live-objects" would take the floating
// references of the registry's own objects.
void hear(GstDebugCategory* category, GstDebugLevel /*level*/, const gchar* /*file*/,
          const gchar* /*function*/, gint /*line*/, GObject* /*object*/, GstDebugMessage* message,
          gpointer /*data*/) {
  if (g_strcmp0(gst_debug_category_get_name(category), "GST_TRACER") != 0) return;
  const gchar* const text = gst_debug_message_get(message);
  if (!g_str_has_prefix(text, "object-alive, ")) return;
  ++g_left;
  std::fprintf(stderr, "left behind: %s\n", text);
}

}  // namespace

void watch_for_leaks() {
  g_setenv("GST_TRACERS", "leaks", FALSE);
  g_is_watched = g_strcmp0(g_getenv("GST_TRACERS"), "leaks") == 0;
}

bool ends_without_leaks() {
  if (!g_is_watched) return true;
  // A streaming thread gives its GstTask up after the state change that stopped it has returned.
  gst_task_cleanup_all();
  gst_debug_add_log_function(hear, nullptr, nullptr);
  gst_debug_set_threshold_for_name("GST_TRACER", GST_LEVEL_TRACE);
  gst_deinit();
  return g_left == 0;
}

}  // namespace nv12slot::gst
