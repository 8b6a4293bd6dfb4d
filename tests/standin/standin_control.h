// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The stand-in driver's control interface for tests: one object with standin.h's functions as
// members, named without their prefix. They are looked up in the loaded libcuda.so.1, so that a
// test links to nothing and runs with a real driver as well:
//
//   if (!standin::control().present()) GTEST_SKIP() << "not the stand-in driver";
//   standin::control().fail("cuMemAlloc", 2, 0, 1);
//
// Without the stand-in the members are null.

#ifndef NV12SLOT_TESTS_STANDIN_STANDIN_CONTROL_H_
#define NV12SLOT_TESTS_STANDIN_STANDIN_CONTROL_H_

#include <dlfcn.h>

#include "standin.h"

namespace nv12slot::standin {

#define NV12SLOT_STANDIN_FUNCTIONS(F) \
  F(reset)                            \
  F(calls)                            \
  F(thread_calls)                     \
  F(callers)                          \
  F(calls_after_exit)                 \
  F(bytes_allocated)                  \
  F(live_allocations)                 \
  F(live_host_allocations)            \
  F(live_contexts)                    \
  F(live_streams)                     \
  F(live_events)                      \
  F(live_decoders)                    \
  F(pending_operations)               \
  F(fail)                             \
  F(faults)                           \
  F(spare)                            \
  F(fail_operation)                   \
  F(stick)                            \
  F(set_decode_status)                \
  F(set_peer_access)                  \
  F(set_capturing)                    \
  F(spoiled_captures)                 \
  F(set_delay)                        \
  F(set_cost_model)                   \
  F(set_memory_limit)                 \
  F(close_gate)                       \
  F(wait_for_gate)                    \
  F(open_gate)                        \
  F(hazards)                          \
  F(last_hazard)                      \
  F(register_kernel)

class Control {
 public:
  // Loads libcuda.so.1, which stays loaded.
  Control() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NODELETE);
    if (library == nullptr) return;
#define NV12SLOT_STANDIN_FIND(name) \
  name = reinterpret_cast<decltype(name)>(dlsym(library, "standin_" #name));
    NV12SLOT_STANDIN_FUNCTIONS(NV12SLOT_STANDIN_FIND)
#undef NV12SLOT_STANDIN_FIND
    dlclose(library);
  }

  // False with a real driver and with none.
  bool present() const {
    return reset != nullptr;
  }

#define NV12SLOT_STANDIN_MEMBER(name) decltype(&standin_##name) name = nullptr;
  NV12SLOT_STANDIN_FUNCTIONS(NV12SLOT_STANDIN_MEMBER)
#undef NV12SLOT_STANDIN_MEMBER
};

inline const Control& control() {
  static const Control instance;
  return instance;
}

// Holds a stream (a CUstream; null: the current context's legacy one) at this point until opened or
// destroyed. Needs the stand-in.
class StreamGate {
 public:
  explicit StreamGate(void* stream) : gate_(control().close_gate(stream)) {}
  ~StreamGate() { open(); }
  StreamGate(const StreamGate&) = delete;
  StreamGate& operator=(const StreamGate&) = delete;

  bool valid() const { return gate_ != 0; }
  // Waits until everything before the gate is complete.
  void wait_until_reached() const { control().wait_for_gate(gate_); }
  void open() const {
    if (gate_ != 0) control().open_gate(gate_);
  }

 private:
  uint64_t gate_;
};

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_STANDIN_CONTROL_H_
