// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Streams, events and the operations on them. A stream is a queue that a thread of its own works
// off in order; an operation first waits for what it depends on in other streams. All fields are
// guarded by the driver's mutex.

#ifndef NV12SLOT_TESTS_STANDIN_STREAM_H_
#define NV12SLOT_TESTS_STANDIN_STREAM_H_

#include <ffnvcodec/dynlink_cuda.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "standin.h"

namespace nv12slot::standin {

struct Context;
struct Stream;

using Range = standin_range;

// One past the last byte of a range.
uintptr_t end_of(const Range& range);
bool overlap(const Range& a, const Range& b);

// A point in a stream: everything up to operation `sequence`.
struct Point {
  std::shared_ptr<Stream> stream;
  uint64_t sequence = 0;
};

// What is ordered before a point, as the last operation of each stream (by stream id).
using Clock = std::map<uint32_t, uint64_t>;

// How an operation reaches memory of other contexts and devices.
enum class Access {
  kDirect,  // a kernel: by peer access, or the pool's
  kCopied,  // a copy: the driver finds its way, but into no pool that does not let it
  kPeer,    // a copy that names both contexts: everywhere
};

struct Operation {
  std::string name;
  std::vector<Range> ranges;
  std::vector<Point> after;
  // Called without the mutex on the stream's thread, unless the context has failed.
  std::function<void()> run;
  // Called with the mutex instead of `run`, whether or not the context has failed.
  std::function<void(std::unique_lock<std::mutex>&)> run_locked;
  uint64_t bytes = 0;             // what the selectable delay is computed from
  bool timed = false;             // whether that delay applies
  CUresult fault = CUDA_SUCCESS;  // fails with this instead of running
  Access access = Access::kCopied;

  uint64_t sequence = 0;
  Clock clock;
};

struct Stream {
  uint32_t id = 0;
  CUstream handle = nullptr;  // null for legacy streams and those of decoders
  std::shared_ptr<Context> context;
  unsigned flags = 0;
  int priority = 0;
  bool legacy = false;
  std::string name;

  std::deque<Operation> queue;  // the front one may be running
  uint64_t enqueued = 0;
  uint64_t completed = 0;
  Clock clock;
  bool closed = false;
  bool has_thread = false;
  std::condition_variable work;

  bool pending() const { return completed != enqueued; }
  bool blocking() const { return !legacy && (flags & CU_STREAM_NON_BLOCKING) == 0; }
};

struct Event {
  std::shared_ptr<Context> context;
  unsigned flags = 0;
  bool recorded = false;
  Point point;
  Clock clock;
  std::shared_ptr<std::chrono::steady_clock::time_point> time;
};

struct Gate {
  bool reached = false;
  bool open = false;
};

// Makes a stream of the context known to the driver. `flags` as for cuStreamCreate().
std::shared_ptr<Stream> make_stream(const std::shared_ptr<Context>& context, unsigned flags,
                                    std::string name);
// No more operations come; its thread ends when the queue is empty.
void close_stream(const std::shared_ptr<Stream>& stream);

// Checks what the operation touches, notes hazards and enqueues it. Returns kIllegalAddress (which
// then sticks to the context) when it touches memory that is freed or not the context's to use, and
// kInvalidValue for a copy from or to a pool that the stream's device has no access to.
// On success `*sequence`, where given, is the operation's place in the stream.
CUresult enqueue(const std::shared_ptr<Stream>& stream, Operation operation,
                 uint64_t* sequence = nullptr);

// Wait without the mutex until the point, all work of a context or device is complete.
void wait_for(std::unique_lock<std::mutex>& lock, const Point& point);
void wait_for_context(std::unique_lock<std::mutex>& lock, const Context* context);
void wait_for_device(std::unique_lock<std::mutex>& lock, int device);
// The same for the operations that touch [base, base + size).
void wait_for_memory(std::unique_lock<std::mutex>& lock, uintptr_t base, size_t size);

void merge(Clock& clock, const Clock& other);

// Runs a host function without the mutex, and whether the calling thread is in one: no driver call
// is permitted there.
void call_back(std::unique_lock<std::mutex>& lock, const std::function<void()>& function);
bool in_callback();

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_STREAM_H_
