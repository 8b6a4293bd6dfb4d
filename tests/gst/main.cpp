// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>
#include <gtest/gtest.h>

#include "leaks.h"

int main(int argc, char** argv) {
  // Before gst_init(), which chooses the tracers; where others were chosen, nothing is checked.
  g_setenv("GST_TRACERS", "leaks", FALSE);
  const bool is_checked = g_strcmp0(g_getenv("GST_TRACERS"), "leaks") == 0;
  gst_init(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  if (is_checked) testing::AddGlobalTestEnvironment(new nv12slot::gst::LeakCheck);
  return RUN_ALL_TESTS();
}
