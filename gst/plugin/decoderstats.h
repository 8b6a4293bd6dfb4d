// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <string>

#include "decoder.h"
#include "nv12slot/source.h"
#include "raii.h"

namespace nv12slot::gst {

/// Counters of one run of nv12slotdec. Written by the streaming thread, read by any.
struct DecoderStats {
  std::atomic<guint64> frames{0};   ///< access units that came
  std::atomic<guint64> decoded{0};  ///< pictures the decoder gave
  std::atomic<guint64> pushed{0};   ///< of these, put into slots and given on
  std::atomic<guint64> corrupted{0}, decode_errors{0}, no_surface{0};
  std::atomic<guint64> exhausted{0}, host_fallbacks{0}, failed_copies{0}, dropped{0};
  std::atomic<guint64> slow_frames{0};
  std::atomic<guint64> decoders_opened{0}, decoders_reused{0};
  std::atomic<decode::Path> path{decode::Path::kNone};

  void reset();
  /// The "stats" property; `why` is the reason for the path.
  [[nodiscard]] StructurePtr to_structure(const std::string& why, const Source* source,
                                          Domain domain) const;
};

}  // namespace nv12slot::gst
