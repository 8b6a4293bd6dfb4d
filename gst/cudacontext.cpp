// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cudacontext.h"

#include "config.h"
#include "debug.h"
#include "nv12slot/process.h"

#ifdef HAVE_CUDA
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>

#include <array>
#endif

#define GST_CAT_DEFAULT gst_nv12_slot_debug

#ifdef HAVE_CUDA

namespace {

GstObject* make_cuda_context(int device) {
  auto opened = nv12slot::Process::get().pool->device(device);
  if (!opened) {
    GST_INFO("no device %d: %s", device, opened.error().message.c_str());
    return nullptr;
  }
  if (!gst_cuda_load_library()) {
    GST_ERROR("gst-cuda did not load the driver that device %d was opened with", device);
    return nullptr;
  }
  gst_cuda_memory_init_once();
  // A CUdevice is the ordinal (driver API, cuDeviceGet).
  GstCudaContext* context =
      gst_cuda_context_new_wrapped(static_cast<CUcontext>((*opened)->context()), device);
  if (context == nullptr) return nullptr;
  GST_OBJECT_FLAG_SET(context, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  return GST_OBJECT_CAST(context);
}

}  // namespace

GstObject* gst_nv12_slot_cuda_context(gint device) {
  if (!nv12slot::is_valid_domain(device) || device == nv12slot::kHostDomain) return nullptr;
  nv12slot::gst::init_debug();
  struct Entry {
    nv12slot::Mutex mutex;
    GstObject* context NV12SLOT_GUARDED_BY(mutex) = nullptr;
  };
  // Never destroyed: memories that outlive everything else refer to them.
  static auto& contexts = *new std::array<Entry, nv12slot::kMaxDomains>;
  Entry& entry = contexts[static_cast<std::size_t>(device)];
  // The lock is held while the driver is called, against the rule, because nobody else can have use
  // of the device before this is done; it is taken by nothing inside.
  nv12slot::MutexLock lock(entry.mutex);
  if (entry.context == nullptr) entry.context = make_cuda_context(device);
  return entry.context;
}

namespace nv12slot::gst {

ObjectPtr<GstObject> cuda_context_of(GstContext* context) {
  if (!gst_context_has_context_type(context, GST_CUDA_CONTEXT_TYPE)) return nullptr;
  GstCudaContext* cuda_context = nullptr;
  gst_structure_get(gst_context_get_structure(context), GST_CUDA_CONTEXT_TYPE,
                    GST_TYPE_CUDA_CONTEXT, &cuda_context, nullptr);
  return ObjectPtr<GstObject>(GST_OBJECT_CAST(cuda_context));
}

bool is_cuda_context_query(GstQuery* query) {
  const gchar* type = nullptr;
  return gst_query_parse_context_type(query, &type) && g_strcmp0(type, GST_CUDA_CONTEXT_TYPE) == 0;
}

void* cuda_context_handle(GstObject* cuda_context) {
  return gst_cuda_context_get_handle(GST_CUDA_CONTEXT(cuda_context));
}

bool cuda_context_answer(GstElement* element, GstQuery* query, GstObject* cuda_context) {
  return gst_cuda_handle_context_query(element, query, GST_CUDA_CONTEXT(cuda_context));
}

void cuda_context_post(GstElement* element, GstObject* cuda_context) {
  guint device = 0;
  g_object_get(cuda_context, "cuda-device-id", &device, nullptr);
  ContextPtr context(gst_context_new(GST_CUDA_CONTEXT_TYPE, TRUE));
  gst_structure_set(gst_context_writable_structure(context.get()), GST_CUDA_CONTEXT_TYPE,
                    GST_TYPE_CUDA_CONTEXT, cuda_context, "cuda-device-id", G_TYPE_UINT, device,
                    nullptr);
  gst_element_post_message(
      element, gst_message_new_have_context(GST_OBJECT_CAST(element), context.release()));
}

}  // namespace nv12slot::gst

#else

GstObject* gst_nv12_slot_cuda_context(gint) {
  return nullptr;
}

namespace nv12slot::gst {

ObjectPtr<GstObject> cuda_context_of(GstContext*) {
  return nullptr;
}

bool is_cuda_context_query(GstQuery*) {
  return false;
}

// Never called, as there is no GstCudaContext.
void* cuda_context_handle(GstObject*) {
  g_assert_not_reached();
}

bool cuda_context_answer(GstElement*, GstQuery*, GstObject*) {
  g_assert_not_reached();
}

void cuda_context_post(GstElement*, GstObject*) {
  g_assert_not_reached();
}

}  // namespace nv12slot::gst

#endif
