// SPDX-License-Identifier: LGPL-2.1-or-later
// A module that cannot link to libnv12slot: it carries a static copy of it and is loaded with
// RTLD_LOCAL.
#include "nv12slot/process.h"

extern "C" __attribute__((visibility("default"))) const void* local_module_pool() {
  return nv12slot::Process::get().pool;
}

extern "C" __attribute__((visibility("default"))) const void* local_module_registry() {
  return nv12slot::Process::get().registry;
}

// What the module would use if it did not look for others.
extern "C" __attribute__((visibility("default"))) const void* local_module_own_code() {
  return reinterpret_cast<const void*>(&nv12slot::Process::get);
}
