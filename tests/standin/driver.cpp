// SPDX-License-Identifier: LGPL-2.1-or-later

#include "driver.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <utility>

#include "calls.h"

namespace nv12slot::standin {
namespace {

// More than a test that has every pop fail can reach: no limit of the driver's is known.
constexpr size_t kMaxStack = 4096;

// Trivial, so that calls from destructors of other threads' or static objects still find it.
struct ContextStack {
  size_t depth;
  CUcontext handles[kMaxStack];
};
thread_local ContextStack context_stack = {};
thread_local int capture_mode = 0;  // global

// What the driver forbids to threads in another than relaxed mode while a capture runs (seen on an
// H100, driver 580): it could wait for what is only being recorded.
bool is_unsafe_in_capture(std::string_view call) {
  return call == "cuEventQuery" || call == "cuStreamQuery" || call == "cuStreamSynchronize" ||
         call == "cuEventSynchronize" || call == "cuCtxSynchronize" || call == "cuMemAlloc" ||
         call == "cuMemAllocPitch" || call == "cuMemFree" || call == "cuMemAllocFromPoolAsync" ||
         call == "cuMemAllocAsync";
}

// exit() destroys the main thread's thread_local objects first, which tells the beginning of exit()
// apart from everything that runs in it. An exit() on another thread is seen by atexit() only.
struct ExitWatch {
  ~ExitWatch() {
    if (getpid() == gettid()) driver().exited = true;
  }
  void arm() {}
};
thread_local ExitWatch exit_watch;

uint64_t environment_number(const char* name, uint64_t fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::strtoull(value, nullptr, 10) : fallback;
}

Driver* make_driver() {
  auto* made = new Driver;
  made->cost_model = environment_number("NV12SLOT_STANDIN_COST", 0) != 0;
  made->delay.latency_us = environment_number("NV12SLOT_STANDIN_DELAY_US", 0);
  made->memory.set_limit(environment_number("NV12SLOT_STANDIN_MEMORY_MB", kDefaultMemoryLimit >> 20)
                         << 20);
  for (int device = 0; device < kDeviceCount; device++) {
    auto context = std::make_shared<Context>();
    context->handle = made->new_handle<CUcontext>();
    context->device = device;
    context->primary = true;
    made->primary[device] = context;
    made->contexts[context->handle] = context;
    // The default pool's handle is the primary context's object.
    made->pools[context.get()] = std::make_shared<MemoryPool>(MemoryPool{device, {}});
  }
  std::atexit([] { driver().exited = true; });
  return made;
}

// Runs after the atexit() handlers and static destructors of the program.
__attribute__((destructor)) void report_at_exit() {
  write_report();
}

CUresult check_context(Entry& entry, Need need) {
  Driver& state = driver();
  if (need != Need::kNothing && !state.initialized) return kNotInitialized;
  const CUcontext handle = current_handle();
  entry.context = find_context(handle);
  if (need != Need::kContext && need != Need::kSound) return CUDA_SUCCESS;
  if (handle == nullptr) return kInvalidContext;
  if (entry.context == nullptr) return kContextIsDestroyed;
  return need == Need::kSound ? entry.context->error : CUDA_SUCCESS;
}

}  // namespace

Driver& driver() {
  static Driver* const instance = make_driver();
  return *instance;
}

Entry enter(int call, Need need) {
  Driver& state = driver();
  Entry entry;
  if (state.exited) {
    state.calls_after_exit++;
    entry.refused = kDeinitialized;
    return entry;
  }
  exit_watch.arm();
  entry.call = call_name(call);
  count_call(call);
  if (in_callback()) {
    entry.refused = kNotPermitted;
    return entry;
  }
  entry.lock = std::unique_lock<std::mutex>(state.mutex);
  entry.refused = take_fault(entry.call);
  if (entry.refused == CUDA_SUCCESS) entry.refused = check_context(entry, need);
  if (entry.refused == CUDA_SUCCESS && state.capturing && capture_mode != 2 &&
      is_unsafe_in_capture(entry.call)) {
    state.spoiled_captures++;
    entry.refused = kCaptureUnsupported;
  }
  return entry;
}

int exchange_capture_mode(int mode) {
  return std::exchange(capture_mode, mode);
}

CUcontext current_handle() {
  return context_stack.depth == 0 ? nullptr : context_stack.handles[context_stack.depth - 1];
}

bool push_handle(CUcontext handle) {
  if (context_stack.depth == kMaxStack) return false;
  context_stack.handles[context_stack.depth++] = handle;
  return true;
}

bool pop_handle(CUcontext* handle) {
  if (context_stack.depth == 0) return false;
  *handle = context_stack.handles[--context_stack.depth];
  return true;
}

void replace_handle(CUcontext handle) {
  if (context_stack.depth != 0) context_stack.depth--;
  if (handle != nullptr) push_handle(handle);
}

std::shared_ptr<Context> find_context(CUcontext handle) {
  const auto found = driver().contexts.find(handle);
  return found == driver().contexts.end() || !found->second->alive ? nullptr : found->second;
}

std::shared_ptr<Stream> find_stream(const Entry& entry, CUstream handle) {
  // 0 and 1 are the legacy stream; the per-thread default stream (2) is taken for it as well.
  if (reinterpret_cast<uintptr_t>(handle) <= 2) {
    auto& legacy = entry.context->legacy;
    if (legacy == nullptr) {
      legacy = make_stream(entry.context, 0,
                           "legacy stream of device " + std::to_string(entry.context->device));
      legacy->legacy = true;
    }
    return legacy;
  }
  const auto found = driver().streams.find(handle);
  return found == driver().streams.end() ? nullptr : found->second;
}

std::shared_ptr<Event> find_event(CUevent handle) {
  const auto found = driver().events.find(handle);
  return found == driver().events.end() ? nullptr : found->second;
}

void end_context(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Context>& context) {
  Driver& state = driver();
  // First of all, so that no other thread adds to it while this one waits.
  context->alive = false;
  wait_for_context(lock, context.get());
  const auto drop = [&](auto& objects, auto&& on_drop) {
    for (auto entry = objects.begin(); entry != objects.end();) {
      if (entry->second->context == context) {
        on_drop(entry->second);
        entry = objects.erase(entry);
      } else {
        ++entry;
      }
    }
  };
  drop(state.streams, [](const auto& stream) { close_stream(stream); });
  drop(state.events, [](const auto&) {});
  drop(state.modules, [](const auto&) {});
  if (context->legacy) close_stream(context->legacy);
  context->legacy.reset();
  state.memory.free_of_context(context->handle);
  context->retained = 0;
  context->error = CUDA_SUCCESS;
  context->peers.clear();
  context->limits.clear();
  if (!context->primary) state.contexts.erase(context->handle);
}

bool loaded(int device) {
  for (const auto& [id, stream] : driver().timelines) {
    if (stream->context->device == device && stream->pending()) return true;
  }
  return false;
}

void spend(std::unique_lock<std::mutex>& lock, double microseconds) {
  if (!driver().cost_model) return;
  lock.unlock();
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::duration<double, std::micro>(microseconds));
  // A sleep of less than this takes as long as this.
  if (microseconds > 100) {
    std::this_thread::sleep_until(until);
  } else {
    while (std::chrono::steady_clock::now() < until) {
    }
  }
  lock.lock();
}

}  // namespace nv12slot::standin
