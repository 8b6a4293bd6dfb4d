// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The stand-in driver's state. One mutex guards all of it; the threads that run stream operations
// release it while they move bytes or call back. Every exported driver function starts with
// STANDIN_ENTER, which counts the call, answers it when a fault or an error says so, and leaves the
// mutex locked in `entry`.

#ifndef NV12SLOT_TESTS_STANDIN_DRIVER_H_
#define NV12SLOT_TESTS_STANDIN_DRIVER_H_

#include <ffnvcodec/dynlink_cuda.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "memory.h"
#include "results.h"
#include "stream.h"

namespace nv12slot::standin {

inline constexpr int kDeviceCount = 2;
inline constexpr size_t kTextureAlignment = 512;
inline constexpr uint64_t kDefaultMemoryLimit = uint64_t{4} << 30;

// A CUcontext. The primary ones live as long as the process and are `alive` while retained.
struct Context {
  CUcontext handle = nullptr;
  int device = 0;
  bool primary = false;
  bool alive = false;
  unsigned flags = 0;
  unsigned retained = 0;
  CUresult error = CUDA_SUCCESS;  // sticky
  std::shared_ptr<Stream> legacy;
  std::set<CUcontext> peers;
  std::map<int, size_t> limits;
};

struct Module {
  std::shared_ptr<Context> context;
};

struct Delay {
  uint64_t latency_us = 0;
  uint64_t bytes_per_us = 0;
};

// Has threads wait for each other with the driver's mutex, which is held in every call.
//
// Each waits for a condition variable of its own. Where several wait for one, glibc has who
// notifies wait for a thread that was woken and has not run since: one that stands still within a
// call would have held up all others, which it does not at a real driver.
class Progress {
 public:
  template <typename Condition>
  void wait(std::unique_lock<std::mutex>& lock, Condition condition) {
    if (condition()) return;
    std::condition_variable changed;
    const auto place = waiting_.insert(waiting_.end(), &changed);
    changed.wait(lock, condition);
    waiting_.erase(place);
  }
  void notify_all() {
    for (std::condition_variable* const changed : waiting_) changed->notify_one();
  }

 private:
  std::list<std::condition_variable*> waiting_;
};

struct Driver {
  std::mutex mutex;
  // Notified when an operation completes, a gate is reached or opened, or a context dies.
  Progress progress;

  bool initialized = false;
  std::atomic<bool> exited{false};
  std::atomic<uint64_t> calls_after_exit{0};

  uintptr_t next_handle = 1;
  std::map<CUcontext, std::shared_ptr<Context>> contexts;
  std::shared_ptr<Context> primary[kDeviceCount];
  std::map<CUstream, std::shared_ptr<Stream>> streams;
  // By id, every stream that may have operations: legacy and decoder streams and destroyed ones
  // that still drain as well.
  std::map<uint32_t, std::shared_ptr<Stream>> timelines;
  std::map<CUevent, std::shared_ptr<Event>> events;
  std::map<CUmodule, std::shared_ptr<Module>> modules;
  std::map<CUfunction, std::string> functions;
  std::map<void*, std::shared_ptr<MemoryPool>> pools;  // CUmemoryPool; a device's default one too
  Memory memory;
  uint64_t decoders[kDeviceCount] = {};

  std::map<uint64_t, Gate> gates;
  uint64_t next_gate = 1;

  bool peer_access = true;        // whether the devices can access each other's memory
  bool capturing = false;         // some thread captures a graph in global mode
  uint64_t spoiled_captures = 0;  // calls that ended it
  Delay delay;
  bool cost_model = false;
  int decode_status = 2;  // cuvidDecodeStatus_Success
  uint64_t hazards = 0;
  std::string last_hazard;

  // A value that no earlier handle had, so that a stale one is recognized.
  template <typename Handle>
  Handle new_handle() {
    return reinterpret_cast<Handle>(uintptr_t{0x5a0000000000} + 64 * next_handle++);
  }
};

// The one instance; never destroyed, because threads outlive main().
Driver& driver();

// What a call asks for before it runs.
enum class Need {
  kNothing,      // works before cuInit()
  kInitialized,  // cuInit() was called
  kContext,      // a current context (which may have failed)
  kSound,        // a current context without a sticky error
};

struct Entry {
  CUresult refused = CUDA_SUCCESS;
  std::unique_lock<std::mutex> lock;
  std::shared_ptr<Context> context;  // the current one, if any
  const char* call = "";             // without version suffix
};

// The number by which a call is counted. Threads may register the same name.
int register_call(const char* name);
Entry enter(int call, Need need);

#define STANDIN_ENTER(need)                                                    \
  static const int kCall = ::nv12slot::standin::register_call(__func__);       \
  [[maybe_unused]] auto entry = ::nv12slot::standin::enter(kCall, Need::need); \
  if (entry.refused != CUDA_SUCCESS) return entry.refused

// Context stack of the calling thread.
CUcontext current_handle();
bool push_handle(CUcontext handle);
bool pop_handle(CUcontext* handle);
void replace_handle(CUcontext handle);

// Of the calling thread: a CUstreamCaptureMode. 2 is relaxed.
int exchange_capture_mode(int mode);

// Finds a live object; null when the handle is unknown. All need the mutex.
std::shared_ptr<Context> find_context(CUcontext handle);
std::shared_ptr<Stream> find_stream(const Entry& entry, CUstream handle);
std::shared_ptr<Event> find_event(CUevent handle);

// Ends a context: waits for its work, drops its streams, events, modules and memory.
void end_context(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Context>& context);

// Cost model. `spend` sleeps without the mutex when the model is on. `loaded` is whether a stream
// of the device has work.
bool loaded(int device);
void spend(std::unique_lock<std::mutex>& lock, double microseconds);

void write_report();

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_DRIVER_H_
