// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "nv12slot/device.h"
#include "nv12slot/mutex.h"
#include "raii.h"
#include "slotsettings.h"

namespace nv12slot::gst {

/// The CUDA device of an element and the GstCudaContext it shares with its neighbours: the
/// process-wide one, unless the application gave another that stands for the same CUcontext. Open
/// from NULL to READY until READY to NULL. Any thread, except where said; its mutex is a leaf.
class ElementDevice {
 public:
  /// Opens what the settings ask for; false, after an error message of `element`, where that cannot
  /// be. Device 0 on a machine without any CUDA device means the host. Of state changes.
  [[nodiscard]] bool open(GstElement* element, const SlotSettings& settings);
  void close() NV12SLOT_EXCLUDES(mutex_);
  /// The setting was changed, in NULL.
  void forget_context() NV12SLOT_EXCLUDES(mutex_);

  /// The open device; nullptr: host only. Of the streaming thread and of state changes.
  [[nodiscard]] Device* get() const { return device_; }

  /// The context of device number `device`, borrowed until close(); nullptr without one. Opens the
  /// device where need be.
  [[nodiscard]] GstObject* ensure_context(int device) NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] bool has_context() const NV12SLOT_EXCLUDES(mutex_);

  /// For the element's set_context; call the parent class's too.
  void set_context(GstElement* element, GstContext* context, int device) NV12SLOT_EXCLUDES(mutex_);
  /// Answers a CONTEXT query about CUDA; false if it is about something else.
  [[nodiscard]] bool answer(GstElement* element, GstQuery* query, int device)
      NV12SLOT_EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  ObjectPtr<GstObject> context_ NV12SLOT_GUARDED_BY(mutex_);  // GstCudaContext, once asked for
  bool context_was_given_ NV12SLOT_GUARDED_BY(mutex_) = false;
  Device* device_ = nullptr;
};

}  // namespace nv12slot::gst
