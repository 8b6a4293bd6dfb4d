// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The host's memory runs out, or its threads: what HostDevice allocates for slots fails, each
// allocation once, and all for good; no thread of ours can be started. What is to come of it stands
// in docs/faults.md. Each case has a process of its own, as its pool is to be empty.
//
// This program's aligned_alloc(), operator new and pthread_create() stand before those of the C and
// C++ runtimes.

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <string_view>

#include "page.h"
#include "standin_control.h"
#include "victims.h"

namespace nv12slot::gst {
namespace {

constexpr unsigned kDeadline = 100;  // seconds, for one process
constexpr const char* kHeading = "When host memory runs out";

// Of the library's allocations of slots: how many pass, and how many then fail (< 0: all).
std::atomic<int> g_pass{0};
std::atomic<int> g_fail{0};
std::atomic<unsigned> g_failed{0};

bool is_of_the_library(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 &&
         std::string_view(info.dli_fname).find("/libnv12slot.so") != std::string_view::npos;
}

bool is_to_fail() {
  if (g_fail == 0 || g_pass.fetch_sub(1) > 0) return false;
  if (g_fail > 0) --g_fail;
  ++g_failed;
  return true;
}

thread_local bool g_has_no_memory = false;

// How many threads of C++ can still be started; < 0: any number. GStreamer's are not counted.
std::atomic<int> g_threads_left{-1};

bool is_of_cpp(const void* caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 &&
         std::string_view(info.dli_fname).find("/libstdc++.so") != std::string_view::npos;
}

}  // namespace

/// For the definitions below, which are the program's and in no namespace.
void* allocate_aligned(std::size_t alignment, std::size_t size, const void* caller) {
  if (is_of_the_library(caller) && is_to_fail()) return nullptr;
  void* memory = nullptr;
  return posix_memalign(&memory, alignment, size) == 0 ? memory : nullptr;
}
void* allocate(std::size_t size) {
  void* const memory = g_has_no_memory ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
bool may_start_thread(const void* caller) {
  return g_threads_left < 0 || !is_of_cpp(caller) || g_threads_left-- > 0;
}

namespace {

[[noreturn]] void run_out(const Victim& victim, int pass, int count, const char* expected) {
  alarm(kDeadline);
  {
    SparedThread reader;
    const Moments quiet = {.starting = [] {}, .flowing = [] {}, .each = [] {}};
    const Moments moments = {.starting =
                                 [&] {
                                   g_pass = pass;
                                   g_fail = count;
                                 },
                             .flowing = [] {},
                             .each = [] {}};
    const Played played = victim.play(reader, moments);
    g_fail = 0;
    if (expected != nullptr) {
      EXPECT_GT(g_failed, 0U) << "nothing is allocated";
      EXPECT_EQ(played.outcome(), expected) << victim.name << ", " << count;
    } else {
      EXPECT_TRUE(played.outcome() == "whole" || played.outcome() == "drops") << played.outcome();
    }
    EXPECT_EQ(victim.play(reader, quiet).outcome(), "whole") << "it does not play again";
  }
  EXPECT_TRUE(comes_to_be_unused(kHostDomain));
  if (!testing::Test::HasFailure() && g_failed == 0) std::exit(2);
  end_case();
}

class HostMemoryTest : public testing::TestWithParam<Victim> {};
INSTANTIATE_TEST_SUITE_P(Of, HostMemoryTest, testing::ValuesIn(host_victims()),
                         [](const auto& victim) { return std::string(victim.param.name); });

/// What the page says of it: in column 1 once, in column 2 for good.
std::string expected(const Victim& victim, std::size_t column) {
  const Row* const row = Page::get().find(kHeading, victim.name);
  return row != nullptr && row->size() > column ? (*row)[column] : "no row";
}

TEST_P(HostMemoryTest, that_fails_once_is_as_the_page_says) {
  EXPECT_EXIT(run_out(GetParam(), 0, 1, expected(GetParam(), 1).c_str()),
              testing::ExitedWithCode(0), "");
}

TEST_P(HostMemoryTest, that_fails_for_good_is_as_the_page_says) {
  EXPECT_EXIT(run_out(GetParam(), 0, -1, expected(GetParam(), 2).c_str()),
              testing::ExitedWithCode(0), "");
}

TEST_P(HostMemoryTest, that_fails_once_ends_nothing_whichever_allocation_it_is) {
  const auto is_over_or_right = [](int status) {
    return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2);
  };
  for (int pass = 1; pass < 4; ++pass) {
    EXPECT_EXIT(run_out(GetParam(), pass, 1, nullptr), is_over_or_right, "") << pass;
  }
}

// What is small is not asked for in a way that may fail: as with GLib, the process ends.
TEST(HostMemory, without_memory_for_what_is_small_the_process_ends_and_says_so) {
  EXPECT_EXIT(
      {
        std::thread([] {
          GstHarness* const copy = copy_harness("device=-1");
          gst_harness_set_src_caps_str(copy, nv12_caps(32, 32).c_str());
          GstBuffer* const buffer = make_buffer(32, 32, 1).release();
          g_has_no_memory = true;
          gst_harness_push(copy, buffer);
        }).join();
      },
      testing::KilledBySignal(SIGABRT), "bad_alloc");
}

/// Plays a camera while that many threads can be started; ends the process.
[[noreturn]] void play_without_threads(int threads, const char* text, const char* details) {
  alarm(kDeadline);
  g_threads_left = threads;
  const RunResult result = play("nv12slotsrc device=-1 max-attempts=1 uri=file:///none ! fakesink");
  EXPECT_EQ(result.error, text);
  EXPECT_NE(result.debug.find(details), std::string::npos) << result.debug;
  end_case();
}

TEST(HostThreads, camera_that_can_have_none_does_not_start_and_says_so) {
  EXPECT_EXIT(play_without_threads(0, "The camera cannot be started.", "no thread left"),
              testing::ExitedWithCode(0), "");
}

TEST(HostThreads, connection_that_can_have_none_is_a_failed_try) {
  EXPECT_EXIT(
      play_without_threads(1, "The camera has failed. (the process has no thread left)", ""),
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace nv12slot::gst

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*run)(void*), void* data) noexcept {
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return nv12slot::gst::may_start_thread(__builtin_return_address(0))
             ? create(thread, attributes, run, data)
             : EAGAIN;
}
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return nv12slot::gst::allocate_aligned(alignment, size, __builtin_return_address(0));
}
void* operator new(std::size_t size) {
  return nv12slot::gst::allocate(size);
}
// As the library's own does; AddressSanitizer's would be another allocator's.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
