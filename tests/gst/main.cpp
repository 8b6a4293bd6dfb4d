// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>
#include <gtest/gtest.h>

#include "leaks.h"

int main(int argc, char** argv) {
  nv12slot::gst::watch_for_leaks();
  gst_init(&argc, &argv);
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  return nv12slot::gst::ends_without_leaks() ? result : 1;
}
