// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <thread>

// Every thread of the project's own, of all layers, with the name that it has in the system (15
// characters at most). The tests that stop each of them are made of this list (docs/faults.md).
#define NV12SLOT_THREADS(X)     \
  X(kReaper, "nv12slot-reaper") \
  X(kFrames, "nv12slot-frames") \
  X(kKeeper, "nv12slot-keeper") \
  X(kCloser, "nv12slot-closer") \
  X(kCamera, "nv12slot-camera") \
  X(kSource, "nv12slot-source")

namespace nv12slot {

enum class ThreadName {
#define NV12SLOT_THREAD_NAME(name, text) name,
  NV12SLOT_THREADS(NV12SLOT_THREAD_NAME)
#undef NV12SLOT_THREAD_NAME
};

/// Has `run` called on a new thread of that name, which `thread`, an empty one, then is. False
/// where the process has no thread left: nothing has happened then. Any thread.
[[nodiscard]] bool start_thread(std::thread& thread, ThreadName name, std::function<void()> run);

}  // namespace nv12slot
