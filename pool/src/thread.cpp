// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/thread.h"

#include <pthread.h>

#include <system_error>
#include <utility>

namespace nv12slot {
namespace {

constexpr const char* kTexts[] = {
#define NV12SLOT_THREAD_TEXT(name, text) text,
    NV12SLOT_THREADS(NV12SLOT_THREAD_TEXT)
#undef NV12SLOT_THREAD_TEXT
};

}  // namespace

bool start_thread(std::thread& thread, ThreadName name, std::function<void()> run) {
  try {
    thread = std::thread([name, run = std::move(run)] {
      pthread_setname_np(pthread_self(), kTexts[static_cast<std::size_t>(name)]);
      run();
    });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace nv12slot
