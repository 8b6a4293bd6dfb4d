// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <atomic>

#include "nv12slot/source.h"
#include "raii.h"
#include "tensormaker.h"

namespace nv12slot::gst {

/// Counters of one run. Written by the source pad's task and by cameras' threads, read by any.
struct TensorStats {
  std::atomic<guint64> pictures{0}, zero_copy{0}, peer{0}, host{0};
  std::atomic<guint64> batches{0}, partial_batches{0};
  std::atomic<guint64> dropped{0}, exhausted{0}, bad_inputs{0}, failed{0};
  std::atomic<TensorPath> path{TensorPath::kNone};  ///< of the last picture
  /// Whether readers wait for tensors by themselves (gst_nv12_slot_query_add_reader()).
  std::atomic<bool> readers_wait{false};

  void reset();
  void count(TensorPath path);
  /// The "stats" property: with the source's counters, if there is one, and those of the pool's
  /// `domain`.
  [[nodiscard]] StructurePtr to_structure(const Source* source, Domain domain) const;
};

}  // namespace nv12slot::gst
