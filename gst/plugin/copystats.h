// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>

#include "nv12slot/source.h"
#include "raii.h"
#include "slotter.h"

namespace nv12slot::gst {

/// Counters of one run. Written by the streaming thread, read by any.
struct CopyStats {
  std::atomic<guint64> frames{0}, direct{0}, copied{0}, passed_through{0};
  std::atomic<guint64> exhausted{0}, host_fallbacks{0}, dropped{0};
  std::atomic<guint64> failed_copies{0}, bad_inputs{0}, slow_frames{0};
  std::atomic<Path> path{Path::kNone};  ///< of the last frame

  void reset();
  /// The "stats" property: with the source's counters, if there is one, and those of the pool's
  /// `domain`.
  [[nodiscard]] StructurePtr to_structure(const Source* source, Domain domain) const;
};

}  // namespace nv12slot::gst
