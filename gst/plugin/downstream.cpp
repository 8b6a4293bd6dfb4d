// SPDX-License-Identifier: LGPL-2.1-or-later
#include "downstream.h"

#include <gst/nv12slot/nv12slotmeta.h>

#include "cudamemory.h"

namespace nv12slot::gst {
namespace {

CapsPtr caps_in_memory(const GstCaps* caps, bool cuda) {
  CapsPtr result(gst_caps_copy(caps));
  for (guint i = 0; i < gst_caps_get_size(result.get()); ++i) {
    gst_caps_set_features(result.get(), i,
                          cuda ? gst_caps_features_new(kCudaFeature, nullptr) : nullptr);
  }
  return result;
}

}  // namespace

bool caps_are_cuda(const GstCaps* caps) {
  return gst_caps_get_size(caps) > 0 &&
         gst_caps_features_contains(gst_caps_get_features(caps, 0), kCudaFeature);
}

CapsPtr caps_in_both_memories(const GstCaps* caps, bool cuda) {
  CapsPtr system = caps_in_memory(caps, false);
  if (!cuda) return system;
  return CapsPtr(gst_caps_merge(caps_in_memory(caps, true).release(), system.release()));
}

CapsPtr ask_for_caps(GstPad* pad, const GstCaps* input_caps, Domain domain) {
  CapsPtr caps = caps_in_memory(input_caps, domain != kHostDomain);
  const CapsPtr accepted(gst_pad_peer_query_caps(pad, caps.get()));
  return gst_caps_is_empty(accepted.get()) ? nullptr : std::move(caps);
}

bool ask_for_promise(GstPad* pad, GstCaps* caps) {
  const QueryPtr query(gst_query_new_allocation(caps, FALSE));
  return gst_pad_peer_query(pad, query.get()) != FALSE &&
         gst_nv12_slot_query_has_reader(query.get()) != FALSE;
}

}  // namespace nv12slot::gst
