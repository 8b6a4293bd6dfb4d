// SPDX-License-Identifier: LGPL-2.1-or-later
#include "machine.h"

#include <dlfcn.h>
#include <gst/nv12slot/nv12slot.h>
#include <time.h>

#include <cstdlib>

#include "config.h"

#ifdef HAVE_CUDA
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudautils.h>
#endif

namespace nv12slot::bench {
namespace {

double g_device_memory_before = 0;

}  // namespace

double to_ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double setting(const char* name, double otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::atof(given) : otherwise;
}

bool has_element(const char* name) {
  GstElementFactory* factory = gst_element_factory_find(name);
  if (factory == nullptr) return false;
  gst_object_unref(factory);
  return true;
}

double device_memory() {
  struct Memory {
    unsigned long long total, free, used;  // nvmlMemory_t
  };
  static void* const nvml = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  if (nvml == nullptr) return 0;
  static const auto get = [] {
    reinterpret_cast<int (*)()>(dlsym(nvml, "nvmlInit_v2"))();
    return reinterpret_cast<int (*)(void*, Memory*)>(dlsym(nvml, "nvmlDeviceGetMemoryInfo"));
  }();
  static void* const device = [] {
    void* found = nullptr;
    reinterpret_cast<int (*)(unsigned, void**)>(dlsym(nvml, "nvmlDeviceGetHandleByIndex_v2"))(
        0, &found);
    return found;
  }();
  Memory memory{};
  return get(device, &memory) == 0 ? static_cast<double>(memory.used) : 0;
}

void remember_device_memory() {
  g_device_memory_before = device_memory();
}

double device_memory_since() {
  return device_memory() - g_device_memory_before;
}

std::chrono::nanoseconds cpu_time() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

void share_cuda_context([[maybe_unused]] GstElement* pipeline) {
#ifdef HAVE_CUDA
  GstObject* shared = gst_nv12_slot_cuda_context(0);
  if (shared == nullptr) return;
  GstContext* context = gst_context_new_cuda_context(GST_CUDA_CONTEXT(shared));
  gst_element_set_context(pipeline, context);
  gst_context_unref(context);
#endif
}

}  // namespace nv12slot::bench
