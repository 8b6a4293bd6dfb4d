// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/process.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace nv12slot {
namespace {

using PointerFunction = const void* (*)();

const void* call(void* module, const char* function) {
  void* symbol = dlsym(module, function);
  EXPECT_NE(symbol, nullptr) << function;
  return symbol != nullptr ? reinterpret_cast<PointerFunction>(symbol)() : nullptr;
}

void* load(const char* path, int how = RTLD_LOCAL) {
  void* module = dlopen(path, RTLD_NOW | how);
  EXPECT_NE(module, nullptr) << dlerror();
  return module;
}

// This program's name says which case it is: process_test links to the shared library, the others
// do not contain nv12slot at all before they load the modules.
TEST(ProcessTest, every_module_gets_the_same_pool_and_registry) {
  void* one = load(LOCAL_MODULE_ONE);
  void* two = load(LOCAL_MODULE_TWO);
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  // Two copies of the code indeed.
  EXPECT_NE(call(one, "local_module_own_code"), call(two, "local_module_own_code"));

  // The second is asked first: who asks first must not matter.
  const void* pool = call(two, "local_module_pool");
  EXPECT_EQ(call(one, "local_module_pool"), pool);
  EXPECT_EQ(call(one, "local_module_registry"), call(two, "local_module_registry"));
#ifdef LINKED_TO_NV12SLOT
  EXPECT_EQ(Process::get().pool, pool);
#endif
  // Unloading pulls the pool from under nobody.
  dlclose(one);
  dlclose(two);
  EXPECT_EQ(call(load(LOCAL_MODULE_TWO), "local_module_pool"), pool);
}

// An engine of Python's, say: loaded after others have found the pool, and visible to everybody.
TEST(ProcessTest, module_that_is_loaded_globally_later_changes_nothing) {
  const void* pool = call(load(LOCAL_MODULE_ONE), "local_module_pool");
  EXPECT_EQ(call(load(LOCAL_MODULE_TWO, RTLD_GLOBAL), "local_module_pool"), pool);
}

}  // namespace
}  // namespace nv12slot
