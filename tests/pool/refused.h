// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include "nv12slot/result.h"

namespace nv12slot {

/// What a call failed with; fails the test where it did not: the code of a Status that is ok is no
/// answer.
inline Errc refused(const Status& status) {
  EXPECT_FALSE(status) << "went well";
  return status.code();
}

}  // namespace nv12slot
