// SPDX-License-Identifier: LGPL-2.1-or-later
//
// To be preloaded: counts the calls of a real driver (or the stand-in) that allocate, free, create
// or wait, by who makes them. Everybody finds the driver's functions by dlsym(), which this
// replaces. Who asked for a function is held to be who calls it: libnv12slot, gst-cuda for all of
// GStreamer's elements, or somebody else (libnvcuvid, say).
//
// cameras_benchmark reads the counters through driver_calls().
#include <dlfcn.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

namespace {

enum Caller : std::size_t { kSlots, kGstCuda, kOther, kCallers };

constexpr std::array<const char*, 13> kNames = {
    "cuMemAlloc_v2",     "cuMemAllocPitch_v2",
    "cuMemAllocAsync",   "cuMemAllocFromPoolAsync",
    "cuMemFree_v2",      "cuMemFreeAsync",
    "cuMemAllocHost_v2", "cuMemFreeHost",
    "cuStreamCreate",    "cuStreamCreateWithPriority",
    "cuCtxSynchronize",  "cuCtxCreate_v2",
    "cuEventCreate",
};

constinit std::array<std::array<std::atomic<std::uint64_t>, kCallers>, kNames.size()> g_calls{};
constinit std::array<std::atomic<void*>, kNames.size()> g_real{};

// All of these take up to five arguments, each a pointer or an integer: on x86-64 and 64-bit Arm
// they are in registers, and passing more than a function takes does no harm.
using Call = int (*)(void*, void*, void*, void*, void*);

template <std::size_t kName, std::size_t kCaller>
int counted(void* a, void* b, void* c, void* d, void* e) {
  g_calls[kName][kCaller].fetch_add(1, std::memory_order_relaxed);
  return reinterpret_cast<Call>(g_real[kName].load())(a, b, c, d, e);
}

template <std::size_t... kIndices>
constexpr std::array<Call, sizeof...(kIndices)> make_table(std::index_sequence<kIndices...>) {
  return {&counted<kIndices / kCallers, kIndices % kCallers>...};
}
constexpr auto kTable = make_table(std::make_index_sequence<kNames.size() * kCallers>());

Caller caller_at(void* address) {
  Dl_info info;
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return kOther;
  if (std::strstr(info.dli_fname, "libnv12slot") != nullptr) return kSlots;
  // gst-cuda asks through GModule.
  if (std::strstr(info.dli_fname, "libgstcuda") != nullptr ||
      std::strstr(info.dli_fname, "libgmodule") != nullptr) {
    return kGstCuda;
  }
  return kOther;
}

using Dlsym = void* (*)(void*, const char*);

Dlsym real_dlsym() {
  static const auto found = [] {
    void* symbol = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    if (symbol == nullptr) symbol = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    if (symbol == nullptr) symbol = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.17");
    return reinterpret_cast<Dlsym>(symbol);
  }();
  return found;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void* dlsym(void* handle,
                                                              const char* name) noexcept {
  void* const symbol = real_dlsym()(handle, name);
  if (symbol == nullptr || std::strncmp(name, "cu", 2) != 0) return symbol;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (std::strcmp(name, kNames[i]) != 0) continue;
    g_real[i].store(symbol);
    return reinterpret_cast<void*>(kTable[i * kCallers + caller_at(__builtin_return_address(0))]);
  }
  return symbol;
}

/// Calls of `name` (as in kNames) so far by "slots", "gst-cuda" or "other"; 0 for what is not
/// counted.
extern "C" __attribute__((visibility("default"))) std::uint64_t driver_calls(const char* name,
                                                                             const char* caller) {
  const std::size_t who = std::strcmp(caller, "slots") == 0      ? kSlots
                          : std::strcmp(caller, "gst-cuda") == 0 ? kGstCuda
                                                                 : kOther;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (std::strcmp(name, kNames[i]) == 0) return g_calls[i][who].load();
  }
  return 0;
}
