// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <dlfcn.h>
#include <link.h>

#include <string>
#include <vector>

#include "nv12slot/frame_registry.h"
#include "nv12slot/slot_pool.h"

namespace nv12slot {

/// The one pool and the one registry of this process, whichever module asks: one that links to
/// libnv12slot, and one that was loaded with RTLD_LOCAL and carries a static copy of the library.
///
/// How: every copy of the library exports nv12slot_process_v1(). Process::get() walks the modules
/// in the order they were loaded and uses the first that has the symbol, so that all copies come to
/// the same answer; the module is pinned, so that it never goes away. A static copy in an
/// executable must be visible: link the executable with
/// -Wl,--export-dynamic-symbol=nv12slot_process_v1 (the pkg-config file's static flags do).
/// dlmopen namespaces are processes of their own to this. All copies must be of one ABI version;
/// the number is part of the symbol's name and changes with any change to a public class.
struct Process {
  SlotPool* pool;
  FrameRegistry* registry;

  /// Never fails, never destroyed, any thread.
  static const Process& get();
};

/// What each copy of the library exports: its own pool and registry, made at the first call.
extern "C" const Process* nv12slot_process_v1();

namespace detail {

/// The first module's, in load order, that exports it; nullptr when none does.
inline const Process* find_process() {
  std::vector<std::string> modules;
  // Only the names are taken here: the loader's lock is held, and dlopen() takes it the other way
  // round.
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* names) {
        static_cast<std::vector<std::string>*>(names)->emplace_back(info->dlpi_name);
        return 0;
      },
      &modules);
  for (const std::string& name : modules) {
    void* module = dlopen(name.empty() ? nullptr : name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (module == nullptr) continue;  // the vDSO
    // dlsym() looks into the module's dependencies too, and for the program into all that is
    // global, which changes as libraries are loaded: only a module's own symbol counts.
    link_map* map = nullptr;
    Dl_info info;
    link_map* owner = nullptr;
    void* symbol = dlsym(module, "nv12slot_process_v1");
    if (symbol != nullptr && dlinfo(module, RTLD_DI_LINKMAP, &map) == 0 &&
        dladdr1(symbol, &info, reinterpret_cast<void**>(&owner), RTLD_DL_LINKMAP) != 0 &&
        owner == map) {
      // The handle is kept: the module with the pool in it must not be unloaded.
      return reinterpret_cast<const Process* (*)()>(symbol)();
    }
    dlclose(module);
  }
  return nullptr;
}

}  // namespace detail

inline const Process& Process::get() {
  static const Process* const process = [] {
    const Process* found = detail::find_process();
    return found != nullptr ? found : nv12slot_process_v1();
  }();
  return *process;
}

}  // namespace nv12slot
