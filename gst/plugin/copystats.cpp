// SPDX-License-Identifier: LGPL-2.1-or-later
#include "copystats.h"

#include "nv12slot/process.h"

namespace nv12slot::gst {

void CopyStats::reset() {
  for (auto* counter : {&frames, &direct, &copied, &passed_through, &exhausted, &host_fallbacks,
                        &dropped, &failed_copies, &bad_inputs, &slow_frames}) {
    counter->store(0);
  }
  path.store(Path::kNone);
}

StructurePtr CopyStats::to_structure(const Source* source, Domain domain) const {
  const SourceStats of_source = source != nullptr ? source->stats() : SourceStats();
  const PoolStats pool = Process::get().pool->stats(domain);
  return StructurePtr(
      gst_structure_new("application/x-nv12slotcopy-stats",                                //
                        "frames", G_TYPE_UINT64, frames.load(),                            //
                        "direct", G_TYPE_UINT64, direct.load(),                            //
                        "copied", G_TYPE_UINT64, copied.load(),                            //
                        "passed-through", G_TYPE_UINT64, passed_through.load(),            //
                        "exhausted", G_TYPE_UINT64, exhausted.load(),                      //
                        "host-fallbacks", G_TYPE_UINT64, host_fallbacks.load(),            //
                        "dropped", G_TYPE_UINT64, dropped.load(),                          //
                        "failed-copies", G_TYPE_UINT64, failed_copies.load(),              //
                        "bad-inputs", G_TYPE_UINT64, bad_inputs.load(),                    //
                        "slow-frames", G_TYPE_UINT64, slow_frames.load(),                  //
                        "path", G_TYPE_STRING, to_string(path.load()),                     //
                        "in-flight", G_TYPE_UINT, of_source.in_flight,                     //
                        "device", G_TYPE_INT, domain,                                      //
                        "pool-cap", G_TYPE_UINT, pool.cap,                                 //
                        "pool-slots", G_TYPE_UINT, pool.slots,                             //
                        "pool-free", G_TYPE_UINT, pool.free,                               //
                        "pool-active", G_TYPE_UINT, pool.active,                           //
                        "pool-cooling", G_TYPE_UINT, pool.cooling,                         //
                        "pool-quarantined", G_TYPE_UINT, pool.quarantined,                 //
                        "pool-reserve", G_TYPE_UINT, pool.reserve,                         //
                        "pool-bytes", G_TYPE_UINT64, guint64{pool.bytes},                  //
                        "pool-acquired", G_TYPE_UINT64, guint64{pool.acquired},            //
                        "pool-allocated", G_TYPE_UINT64, guint64{pool.allocated},          //
                        "pool-retired", G_TYPE_UINT64, guint64{pool.retired},              //
                        "pool-exhausted", G_TYPE_UINT64, guint64{pool.exhausted},          //
                        "pool-quota-refused", G_TYPE_UINT64, guint64{pool.quota_refused},  //
                        "pool-out-of-memory", G_TYPE_UINT64, guint64{pool.out_of_memory},  //
                        nullptr));
}

}  // namespace nv12slot::gst
