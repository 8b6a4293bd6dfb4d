// SPDX-License-Identifier: LGPL-2.1-or-later
#include "copystats.h"

#include "poolstats.h"

namespace nv12slot::gst {

void CopyStats::reset() {
  for (auto* counter : {&frames, &direct, &copied, &passed_through, &exhausted, &host_fallbacks,
                        &dropped, &failed_copies, &bad_inputs, &slow_frames}) {
    counter->store(0);
  }
  path.store(Path::kNone);
}

StructurePtr CopyStats::to_structure(const Source* source, Domain domain) const {
  StructurePtr structure(gst_structure_new("application/x-nv12slotcopy-stats",      //
                                           "frames", G_TYPE_UINT64, frames.load(),  //
                                           "direct", G_TYPE_UINT64, direct.load(),  //
                                           "copied", G_TYPE_UINT64, copied.load(),  //
                                           "passed-through", G_TYPE_UINT64, passed_through.load(),
                                           "exhausted", G_TYPE_UINT64, exhausted.load(),  //
                                           "host-fallbacks", G_TYPE_UINT64, host_fallbacks.load(),
                                           "dropped", G_TYPE_UINT64, dropped.load(),  //
                                           "failed-copies", G_TYPE_UINT64, failed_copies.load(),
                                           "bad-inputs", G_TYPE_UINT64, bad_inputs.load(),    //
                                           "slow-frames", G_TYPE_UINT64, slow_frames.load(),  //
                                           "path", G_TYPE_STRING, to_string(path.load()),     //
                                           nullptr));
  add_pool_stats(structure.get(), source, domain);
  return structure;
}

}  // namespace nv12slot::gst
