// SPDX-License-Identifier: LGPL-2.1-or-later

#include "stream.h"

#include <pthread.h>

#include <cstdio>
#include <thread>
#include <utility>

#include "driver.h"

namespace nv12slot::standin {
namespace {

thread_local bool running_callback = false;

std::string describe(const Operation& operation, const Stream& stream, const Range& range) {
  char text[256];
  std::snprintf(text, sizeof(text), "%s in %s %s %#zx-%#zx", operation.name.c_str(),
                stream.name.c_str(), range.write ? "writes" : "reads",
                static_cast<size_t>(range.address), static_cast<size_t>(end_of(range)));
  return text;
}

void note_hazard(std::string text) {
  driver().hazards++;
  driver().last_hazard = std::move(text);
}

enum class When { kEnqueued, kRunning };

// Why the context may not use all of the range, if it may not. What was enqueued before a
// stream-ordered free may still run.
CUresult accessible(const Range& range, const Context& context, Access access, When when) {
  const Allocation* allocation = driver().memory.find(range.address);
  if (allocation == nullptr) return kIllegalAddress;
  if (allocation->freeing && when == When::kEnqueued) return kIllegalAddress;
  if (end_of(range) > allocation->base + allocation->size) return kIllegalAddress;
  if (access == Access::kPeer || allocation->kind != MemoryKind::kDevice) return CUDA_SUCCESS;
  // A pool knows nothing of cuCtxEnablePeerAccess(), other memory nothing of a pool's access.
  if (allocation->pool != nullptr) {
    if (allocation->pool->allows(context.device, range.write != 0)) return CUDA_SUCCESS;
    return access == Access::kDirect ? kIllegalAddress : kInvalidValue;
  }
  if (access == Access::kCopied || allocation->context == context.handle) return CUDA_SUCCESS;
  return context.peers.count(allocation->context) == 0 ? kIllegalAddress : CUDA_SUCCESS;
}

CUresult check_access(const Operation& operation, const Stream& stream, When when) {
  for (const Range& range : operation.ranges) {
    const CUresult result = accessible(range, *stream.context, operation.access, when);
    if (result == CUDA_SUCCESS) continue;
    const Allocation* allocation = driver().memory.find(range.address);
    const bool freed =
        driver().memory.was_freed(range.address) || (allocation != nullptr && allocation->freeing);
    note_hazard(describe(operation, stream, range) + ", " +
                (freed ? "which is freed" : "which is not memory of this context"));
    if (result == kIllegalAddress) stream.context->error = kIllegalAddress;
    return result;
  }
  return CUDA_SUCCESS;
}

void check_against(const Operation& operation, const Stream& stream, const Operation& pending,
                   const Stream& other) {
  for (const Range& range : operation.ranges) {
    for (const Range& held : pending.ranges) {
      if ((range.write == 0 && held.write == 0) || !overlap(range, held)) continue;
      note_hazard(describe(operation, stream, range) + " while pending " +
                  describe(pending, other, held));
      return;
    }
  }
}

void check_order(const Operation& operation, const Stream& stream) {
  if (operation.ranges.empty()) return;
  for (const auto& [id, other] : driver().timelines) {
    if (other.get() == &stream || !other->pending()) continue;
    const auto known = operation.clock.find(id);
    const uint64_t ordered = known == operation.clock.end() ? 0 : known->second;
    for (const Operation& pending : other->queue) {
      if (pending.sequence > ordered) check_against(operation, stream, pending, *other);
    }
  }
}

// Entries of completed work say nothing any more.
void prune(Clock& clock) {
  for (auto entry = clock.begin(); entry != clock.end();) {
    const auto found = driver().timelines.find(entry->first);
    const bool done =
        found == driver().timelines.end() || found->second->completed >= entry->second;
    entry = done ? clock.erase(entry) : std::next(entry);
  }
}

// The rules of the legacy stream: it waits for every blocking stream of its context, and they wait
// for it.
void order_with_legacy(const Stream& stream, Operation& operation) {
  const auto follow = [&](const std::shared_ptr<Stream>& other) {
    if (!other->pending()) return;
    operation.after.push_back({other, other->enqueued});
    merge(operation.clock, other->clock);
  };
  if (stream.legacy) {
    for (const auto& [id, other] : driver().timelines) {
      if (other->context == stream.context && other->blocking()) follow(other);
    }
  } else if (stream.blocking() && stream.context->legacy) {
    follow(stream.context->legacy);
  }
}

void take_time(const Operation& operation, const Delay& delay) {
  if (!operation.timed) return;
  uint64_t time = delay.latency_us;
  if (delay.bytes_per_us != 0) time += operation.bytes / delay.bytes_per_us;
  if (time != 0) std::this_thread::sleep_for(std::chrono::microseconds(time));
}

void execute(std::unique_lock<std::mutex>& lock, const Stream& stream, Operation& operation) {
  for (const Point& point : operation.after) wait_for(lock, point);
  CUresult& error = stream.context->error;
  if (error == CUDA_SUCCESS && operation.fault != CUDA_SUCCESS) error = operation.fault;
  if (operation.run_locked) {
    operation.run_locked(lock);
    return;
  }
  // The memory may have been freed in stream order since the operation was enqueued.
  if (error != CUDA_SUCCESS || check_access(operation, stream, When::kRunning) != CUDA_SUCCESS)
    return;
  const Delay delay = driver().delay;
  lock.unlock();
  take_time(operation, delay);
  if (operation.run) operation.run();
  lock.lock();
}

void work_off(const std::shared_ptr<Stream>& stream) {
  pthread_setname_np(pthread_self(), ("standin-" + std::to_string(stream->id)).c_str());
  std::unique_lock<std::mutex> lock(driver().mutex);
  for (;;) {
    stream->work.wait(lock, [&] { return !stream->queue.empty() || stream->closed; });
    if (stream->queue.empty()) break;
    execute(lock, *stream, stream->queue.front());
    stream->completed = stream->queue.front().sequence;
    stream->queue.pop_front();
    driver().progress.notify_all();
  }
  driver().timelines.erase(stream->id);
}

template <typename Condition>
void wait_until_idle(std::unique_lock<std::mutex>& lock, Condition concerns) {
  // What is enqueued later is not waited for.
  std::vector<Point> points;
  for (const auto& [id, stream] : driver().timelines) {
    if (stream->pending() && concerns(*stream)) points.push_back({stream, stream->enqueued});
  }
  for (const Point& point : points) wait_for(lock, point);
}

}  // namespace

uintptr_t end_of(const Range& range) {
  return range.address + (range.rows - 1) * range.pitch + range.row_bytes;
}

bool overlap(const Range& a, const Range& b) {
  if (a.address >= end_of(b) || b.address >= end_of(a)) return false;
  if (a.rows == 1 || b.rows == 1 || a.pitch != b.pitch) return true;
  // Two rectangles of one surface can lie side by side.
  const size_t shift = (b.address - a.address + a.pitch * b.rows) % a.pitch;
  return shift < a.row_bytes || shift + b.row_bytes > a.pitch;
}

std::shared_ptr<Stream> make_stream(const std::shared_ptr<Context>& context, unsigned flags,
                                    std::string name) {
  static uint32_t last_id = 0;
  auto stream = std::make_shared<Stream>();
  stream->id = ++last_id;
  stream->context = context;
  stream->flags = flags;
  stream->name = name.empty() ? "stream " + std::to_string(stream->id) : std::move(name);
  driver().timelines[stream->id] = stream;
  return stream;
}

void close_stream(const std::shared_ptr<Stream>& stream) {
  stream->closed = true;
  if (stream->has_thread) {
    stream->work.notify_one();
  } else {
    driver().timelines.erase(stream->id);
  }
}

CUresult enqueue(const std::shared_ptr<Stream>& stream, Operation operation, uint64_t* sequence) {
  if (const CUresult result = check_access(operation, *stream, When::kEnqueued);
      result != CUDA_SUCCESS) {
    return result;
  }
  order_with_legacy(*stream, operation);
  prune(stream->clock);
  merge(stream->clock, operation.clock);
  operation.sequence = ++stream->enqueued;
  stream->clock[stream->id] = operation.sequence;
  operation.clock = stream->clock;
  check_order(operation, *stream);
  if (sequence != nullptr) *sequence = operation.sequence;
  stream->queue.push_back(std::move(operation));
  if (stream->has_thread) {
    stream->work.notify_one();
  } else {
    // Detached: at exit the threads end with the process, wherever they are.
    stream->has_thread = true;
    std::thread(work_off, stream).detach();
  }
  return CUDA_SUCCESS;
}

void wait_for(std::unique_lock<std::mutex>& lock, const Point& point) {
  driver().progress.wait(lock, [&] { return point.stream->completed >= point.sequence; });
}

void wait_for_context(std::unique_lock<std::mutex>& lock, const Context* context) {
  wait_until_idle(lock, [&](const Stream& stream) { return stream.context.get() == context; });
}

void wait_for_device(std::unique_lock<std::mutex>& lock, int device) {
  wait_until_idle(lock, [&](const Stream& stream) { return stream.context->device == device; });
}

void wait_for_memory(std::unique_lock<std::mutex>& lock, uintptr_t base, size_t size) {
  const Range memory{base, size, 1, size, 1};
  std::vector<Point> points;
  for (const auto& [id, stream] : driver().timelines) {
    for (const Operation& operation : stream->queue) {
      for (const Range& range : operation.ranges) {
        if (overlap(range, memory)) points.push_back({stream, operation.sequence});
      }
    }
  }
  for (const Point& point : points) wait_for(lock, point);
}

void merge(Clock& clock, const Clock& other) {
  for (const auto& [id, sequence] : other) {
    uint64_t& known = clock[id];
    if (known < sequence) known = sequence;
  }
}

bool in_callback() {
  return running_callback;
}

void call_back(std::unique_lock<std::mutex>& lock, const std::function<void()>& function) {
  lock.unlock();
  running_callback = true;
  function();
  running_callback = false;
  lock.lock();
}

}  // namespace nv12slot::standin
