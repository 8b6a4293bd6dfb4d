// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/process.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

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

#ifdef LINKED_TO_NV12SLOT
FrameRef* g_last_frame = nullptr;

// Registered before the pool is made, so that it runs after what exit() would destroy of it.
void release_at_exit() {
  delete g_last_frame;
  const PoolStats stats = Process::get().pool->stats(kHostDomain);
  std::_Exit(stats.slots == 1 && stats.active == 0 ? 0 : 1);
}

TEST(ProcessTest, frame_can_be_released_after_exit_has_begun) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::atexit(release_at_exit);
        const Process& process = Process::get();
        Source source(process.pool->clock(), "camera");
        g_last_frame = new FrameRef(process.registry->attach(
            std::move(process.pool->acquire({.width = 64, .height = 64})).value(),
            std::move(source.begin_frame()).value(), kNoPts));
        std::exit(3);
      },
      testing::ExitedWithCode(0), "");
}
#else
TEST(ProcessTest, module_with_the_pool_is_never_unloaded) {
  void* first = load(PLAIN_MODULE);
  EXPECT_EQ(call(load(LOCAL_MODULE_ONE), "local_module_pool"), nullptr) << "not the first's";
  dlclose(first);
  EXPECT_NE(dlopen(PLAIN_MODULE, RTLD_NOW | RTLD_NOLOAD), nullptr);
}
#endif

}  // namespace
}  // namespace nv12slot
