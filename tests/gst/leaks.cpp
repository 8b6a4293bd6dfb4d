// SPDX-License-Identifier: LGPL-2.1-or-later
#include "leaks.h"

#include "raii.h"

namespace nv12slot::gst {

std::vector<std::string> live_objects() {
  // A streaming thread gives its GstTask up after the state change that stopped it has returned;
  // the tracer would take a reference to a task that is being finalized.
  gst_task_cleanup_all();
  std::vector<std::string> lines;
  GList* const tracers = gst_tracing_get_active_tracers();
  EXPECT_NE(tracers, nullptr) << "the leaks tracer is not there";
  for (GList* item = tracers; item != nullptr; item = item->next) {
    GstStructure* info = nullptr;
    g_signal_emit_by_name(item->data, "get-live-objects", &info);
    const StructurePtr owned(info);
    const GValue* const list = gst_structure_get_value(info, "live-objects-list");
    for (guint i = 0; i < gst_value_list_get_size(list); ++i) {
      const GstStructure* const object = gst_value_get_structure(gst_value_list_get_value(list, i));
      gchar* const text = gst_structure_to_string(object);
      lines.emplace_back(text);
      g_free(text);
    }
  }
  g_list_free_full(tracers, gst_object_unref);
  return lines;
}

void LeakCheck::TearDown() {
  // Sources that were left to themselves as they went down slowly may still do so.
  std::vector<std::string> lines = live_objects();
  for (int i = 0; i < 100 && !lines.empty(); ++i) {
    g_usleep(100'000);
    lines = live_objects();
  }
  for (const std::string& line : lines) ADD_FAILURE() << "left behind: " << line;
}

}  // namespace nv12slot::gst
