// SPDX-License-Identifier: LGPL-2.1-or-later
#include "poolstats.h"

#include "nv12slot/process.h"

namespace nv12slot::gst {

void add_pool_stats(GstStructure* stats, const Source* source, Domain domain) {
  const SourceStats of_source = source != nullptr ? source->stats() : SourceStats();
  const guint64 oldest =
      source != nullptr ? guint64(Process::get().registry->oldest_age(*source).count()) : 0;
  const PoolStats pool = Process::get().pool->stats(domain);
  gst_structure_set(stats,                                                             //
                    "in-flight", G_TYPE_UINT, of_source.in_flight,                     //
                    "oldest-frame-age", G_TYPE_UINT64, oldest,                         //
                    "device", G_TYPE_INT, domain,                                      //
                    "pool-cap", G_TYPE_UINT, pool.cap,                                 //
                    "pool-slots", G_TYPE_UINT, pool.slots,                             //
                    "pool-free", G_TYPE_UINT, pool.free,                               //
                    "pool-active", G_TYPE_UINT, pool.active,                           //
                    "pool-cooling", G_TYPE_UINT, pool.cooling,                         //
                    "pool-quarantined", G_TYPE_UINT, pool.quarantined,                 //
                    "pool-reserve", G_TYPE_UINT, pool.reserve,                         //
                    "pool-byte-slots", G_TYPE_UINT, pool.byte_slots,                   //
                    "pool-byte-active", G_TYPE_UINT, pool.byte_active,                 //
                    "pool-bytes", G_TYPE_UINT64, guint64{pool.bytes},                  //
                    "pool-acquired", G_TYPE_UINT64, guint64{pool.acquired},            //
                    "pool-allocated", G_TYPE_UINT64, guint64{pool.allocated},          //
                    "pool-retired", G_TYPE_UINT64, guint64{pool.retired},              //
                    "pool-exhausted", G_TYPE_UINT64, guint64{pool.exhausted},          //
                    "pool-quota-refused", G_TYPE_UINT64, guint64{pool.quota_refused},  //
                    "pool-out-of-memory", G_TYPE_UINT64, guint64{pool.out_of_memory},  //
                    nullptr);
}

}  // namespace nv12slot::gst
