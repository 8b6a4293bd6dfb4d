// SPDX-License-Identifier: LGPL-2.1-or-later
#include "elementdevice.h"

#include <utility>

#include "cudacontext.h"
#include "debug.h"
#include "nv12slot/cuda_device.h"
#include "nv12slot/process.h"

#define GST_CAT_DEFAULT gst_nv12_slot_debug

namespace nv12slot::gst {

GstObject* ElementDevice::ensure_context(int device) {
  GstObject* const own = gst_nv12_slot_cuda_context(device);
  MutexLock lock(mutex_);
  if (context_ == nullptr && own != nullptr) {
    context_.reset(static_cast<GstObject*>(gst_object_ref(own)));
  }
  return context_.get();
}

bool ElementDevice::has_context() const {
  MutexLock lock(mutex_);
  return context_ != nullptr;
}

void ElementDevice::set_context(GstElement* element, GstContext* context, int device) {
  ObjectPtr<GstObject> given = cuda_context_of(context);
  if (given == nullptr) return;
  GstObject* const own = gst_nv12_slot_cuda_context(device);
  if (own != nullptr && cuda_context_handle(given.get()) == cuda_context_handle(own)) {
    MutexLock lock(mutex_);
    if (context_ == nullptr) context_ = std::move(given);
    context_was_given_ = true;
  } else {
    GST_INFO_OBJECT(element, "not using a CUDA context that is not the device's primary one");
  }
}

bool ElementDevice::answer(GstElement* element, GstQuery* query, int device) {
  // Others' questions are no reason to open a GPU.
  if (GST_QUERY_TYPE(query) != GST_QUERY_CONTEXT || !is_cuda_context_query(query)) return false;
  GstObject* const context = ensure_context(device);
  return context != nullptr && cuda_context_answer(element, query, context);
}

bool ElementDevice::open(GstElement* element, const SlotSettings& settings) {
  for (const std::string* refused : {&settings.refused_cap, &settings.refused_cooldown}) {
    if (refused->empty()) continue;
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS,
                      ("A setting of the slot pool was refused: %s", refused->c_str()),
                      ("set pool-cap or pool-cooldown to a value in its range, or do not set it"));
    return false;
  }
  device_ = nullptr;
  if (settings.device == kHostDomain) return true;

  bool was_given = false;
  {
    MutexLock lock(mutex_);
    was_given = context_was_given_;
  }
  const int count = cuda_device_count();
  if (settings.device == kDefaultDevice && count == 0) {
    GST_INFO_OBJECT(element, "no CUDA device: slots are made on the host");
    return true;
  }
  Result<Device*> device = is_valid_domain(settings.device)
                               ? Process::get().pool->device(settings.device)
                               : Error{Errc::kNoDevice, "not the ordinal of a device"};
  GstObject* const context = device ? ensure_context(settings.device) : nullptr;
  if (context == nullptr) {
    GST_ELEMENT_ERROR(
        element, RESOURCE, NOT_FOUND, ("CUDA device %d cannot be used.", settings.device),
        ("%s; there are %d CUDA devices, numbered from 0; set 'device' to one of "
         "them, or to -1 for slots on the host",
         device ? "gst-cuda did not take its context" : device.error().message.c_str(), count));
    return false;
  }
  device_ = *device;
  if (!was_given) cuda_context_post(element, context);
  return true;
}

void ElementDevice::forget_context() {
  ObjectPtr<GstObject> context;  // given up without the lock
  MutexLock lock(mutex_);
  context.swap(context_);
  context_was_given_ = false;
  lock.unlock();
}

void ElementDevice::close() {
  forget_context();
  device_ = nullptr;
}

}  // namespace nv12slot::gst
