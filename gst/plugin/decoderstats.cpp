// SPDX-License-Identifier: LGPL-2.1-or-later
#include "decoderstats.h"

#include "decoder_cache.h"
#include "poolstats.h"

namespace nv12slot::gst {

void DecoderStats::reset() {
  for (auto* counter : {&frames, &decoded, &pushed, &corrupted, &decode_errors, &no_surface,
                        &exhausted, &host_fallbacks, &failed_copies, &dropped, &slow_frames,
                        &decoders_opened, &decoders_reused}) {
    counter->store(0);
  }
  path.store(decode::Path::kNone);
}

StructurePtr DecoderStats::to_structure(const std::string& why, const Source* source,
                                        Domain domain) const {
  const decode::DecoderCacheStats cache = decode::DecoderCache::process().stats();
  StructurePtr structure(gst_structure_new("application/x-nv12slotdec-stats",                     //
                                           "frames", G_TYPE_UINT64, frames.load(),                //
                                           "decoded", G_TYPE_UINT64, decoded.load(),              //
                                           "pushed", G_TYPE_UINT64, pushed.load(),                //
                                           "corrupted", G_TYPE_UINT64, corrupted.load(),          //
                                           "decode-errors", G_TYPE_UINT64, decode_errors.load(),  //
                                           "no-surface", G_TYPE_UINT64, no_surface.load(),        //
                                           "exhausted", G_TYPE_UINT64, exhausted.load(),          //
                                           "host-fallbacks", G_TYPE_UINT64, host_fallbacks.load(),
                                           "failed-copies", G_TYPE_UINT64, failed_copies.load(),  //
                                           "dropped", G_TYPE_UINT64, dropped.load(),              //
                                           "slow-frames", G_TYPE_UINT64, slow_frames.load(),      //
                                           "decoders-opened", G_TYPE_UINT64, decoders_opened.load(),
                                           "decoders-reused", G_TYPE_UINT64, decoders_reused.load(),
                                           "path", G_TYPE_STRING, decode::to_string(path.load()),
                                           "why", G_TYPE_STRING, why.c_str(),  //
                                           nullptr));
  gst_structure_set(structure.get(),                                         //
                    "cache-cap", G_TYPE_UINT, cache.cap,                     //
                    "cache-parked", G_TYPE_UINT, cache.parked,               //
                    "cache-closing", G_TYPE_UINT, cache.closing,             //
                    "cache-hung", G_TYPE_UINT, cache.hung,                   //
                    "cache-opened", G_TYPE_UINT64, guint64{cache.opened},    //
                    "cache-reused", G_TYPE_UINT64, guint64{cache.reused},    //
                    "cache-expired", G_TYPE_UINT64, guint64{cache.expired},  //
                    "cache-evicted", G_TYPE_UINT64, guint64{cache.evicted},  //
                    "cache-closed", G_TYPE_UINT64, guint64{cache.closed},    //
                    nullptr);
  add_pool_stats(structure.get(), source, domain);
  return structure;
}

}  // namespace nv12slot::gst
