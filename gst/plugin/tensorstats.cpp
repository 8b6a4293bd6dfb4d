// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensorstats.h"

#include "poolstats.h"

namespace nv12slot::gst {

void TensorStats::reset() {
  for (auto* counter : {&pictures, &zero_copy, &peer, &host, &batches, &partial_batches, &dropped,
                        &exhausted, &bad_inputs, &failed}) {
    counter->store(0);
  }
  path.store(TensorPath::kNone);
  readers_wait.store(false);
}

void TensorStats::count(TensorPath taken) {
  path.store(taken);
  switch (taken) {
    case TensorPath::kZeroCopy:
      ++zero_copy;
      break;
    case TensorPath::kPeer:
      ++peer;
      break;
    case TensorPath::kHost:
      ++host;
      break;
    case TensorPath::kNone:
      break;
  }
}

StructurePtr TensorStats::to_structure(const Source* source, Domain domain) const {
  StructurePtr structure(gst_structure_new(
      "application/x-nv12slottensor-stats",          //
      "pictures", G_TYPE_UINT64, pictures.load(),    //
      "zero-copy", G_TYPE_UINT64, zero_copy.load(),  //
      "peer", G_TYPE_UINT64, peer.load(),            //
      "host", G_TYPE_UINT64, host.load(),            //
      "batches", G_TYPE_UINT64, batches.load(),      //
      "partial-batches", G_TYPE_UINT64,
      partial_batches.load(),                                                                  //
      "dropped", G_TYPE_UINT64, dropped.load(),                                                //
      "exhausted", G_TYPE_UINT64, exhausted.load(),                                            //
      "bad-inputs", G_TYPE_UINT64, bad_inputs.load(), "failed", G_TYPE_UINT64, failed.load(),  //
      "path", G_TYPE_STRING, to_string(path.load()),                                           //
      "hand-over", G_TYPE_STRING, readers_wait.load() ? "event" : "synchronized", nullptr));
  add_pool_stats(structure.get(), source, domain);
  return structure;
}

}  // namespace nv12slot::gst
