// SPDX-License-Identifier: LGPL-2.1-or-later
#include "raii.h"
#include "standin_control.h"
#include "victims.h"

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  if (!nv12slot::standin::control().present() || nv12slot::gst::encoded_stream().empty()) {
    std::fprintf(stderr, "SKIP: needs the stand-in driver, and an encoder of H.264\n");
    return 77;
  }
  // Here, so that the processes of the cases need not do it; no driver call is made.
  const nv12slot::gst::ObjectPtr<GstPlugin> plugin(gst_plugin_load_by_name("nv12slot"));
  nv12slot::gst::reset_pool();
  return RUN_ALL_TESTS();
}
