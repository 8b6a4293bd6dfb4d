// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Driver API: streams, events, host functions.

#include <ctime>

#include "calls.h"
#include "driver.h"

using namespace nv12slot::standin;

namespace {

// Streams of another context cannot be used to enqueue work.
CUresult usable(const Entry& entry, CUstream handle, std::shared_ptr<Stream>* stream) {
  *stream = find_stream(entry, handle);
  if (*stream == nullptr || (*stream)->context != entry.context) return kInvalidHandle;
  return CUDA_SUCCESS;
}

CUresult create_stream(Entry& entry, CUstream* handle, unsigned flags, int priority) {
  if (handle == nullptr || flags > CU_STREAM_NON_BLOCKING) return kInvalidValue;
  const auto stream = make_stream(entry.context, flags, "");
  stream->handle = driver().new_handle<CUstream>();
  stream->priority = priority;
  driver().streams[stream->handle] = stream;
  *handle = stream->handle;
  spend(entry.lock, 3.7);
  return CUDA_SUCCESS;
}

CUresult record(Entry& entry, CUevent handle, CUstream stream_handle) {
  std::shared_ptr<Stream> stream;
  if (const auto result = usable(entry, stream_handle, &stream); result != CUDA_SUCCESS) {
    return result;
  }
  const auto event = find_event(handle);
  if (event == nullptr || event->context != entry.context) return kInvalidHandle;
  // A new time for every record: an earlier one may not have completed.
  auto time = std::make_shared<std::chrono::steady_clock::time_point>();
  Operation operation;
  operation.name = entry.call;
  operation.fault = take_operation_fault(entry.call);
  operation.run_locked = [time](std::unique_lock<std::mutex>&) {
    *time = std::chrono::steady_clock::now();
  };
  uint64_t sequence = 0;
  if (const auto result = enqueue(stream, std::move(operation), &sequence);
      result != CUDA_SUCCESS) {
    return result;
  }
  event->recorded = true;
  event->point = {stream, sequence};
  event->clock = stream->clock;
  event->time = std::move(time);
  return CUDA_SUCCESS;
}

bool complete(const Event& event) {
  return !event.recorded || event.point.stream->completed >= event.point.sequence;
}

CUresult elapsed(float* milliseconds, CUevent start, CUevent end) {
  const auto from = find_event(start);
  const auto to = find_event(end);
  if (from == nullptr || to == nullptr || !from->recorded || !to->recorded) return kInvalidHandle;
  if ((from->flags | to->flags) & CU_EVENT_DISABLE_TIMING) return kInvalidHandle;
  if (!complete(*from) || !complete(*to)) return kNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(*to->time - *from->time).count();
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuStreamCreate(CUstream* handle, unsigned flags) {
  STANDIN_ENTER(kSound);
  return create_stream(entry, handle, flags, 0);
}

CUresult cuStreamCreateWithPriority(CUstream* handle, unsigned flags, int priority) {
  STANDIN_ENTER(kSound);
  return create_stream(entry, handle, flags, priority);
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  STANDIN_ENTER(kSound);
  const auto found = driver().streams.find(handle);
  if (found == driver().streams.end()) return kInvalidHandle;
  close_stream(found->second);
  driver().streams.erase(found);
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy(CUstream handle) {
  return cuStreamDestroy_v2(handle);
}

CUresult cuStreamQuery(CUstream handle) {
  STANDIN_ENTER(kSound);
  const auto stream = find_stream(entry, handle);
  if (stream == nullptr) return kInvalidHandle;
  if (stream->pending()) return kNotReady;
  return stream->context->error;
}

CUresult cuStreamSynchronize(CUstream handle) {
  STANDIN_ENTER(kSound);
  const auto stream = find_stream(entry, handle);
  if (stream == nullptr) return kInvalidHandle;
  wait_for(entry.lock, {stream, stream->enqueued});
  return stream->context->error;
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned) {
  STANDIN_ENTER(kSound);
  // Stream and event may be of different contexts, and the current one may be a third.
  const auto stream = find_stream(entry, handle);
  const auto event = find_event(event_handle);
  if (stream == nullptr || event == nullptr) return kInvalidHandle;
  if (complete(*event)) return CUDA_SUCCESS;
  Operation operation;
  operation.name = entry.call;
  operation.after.push_back(event->point);
  operation.clock = event->clock;
  operation.fault = take_operation_fault(entry.call);
  return enqueue(stream, std::move(operation));
}

CUresult cuStreamGetFlags(CUstream handle, unsigned* flags) {
  STANDIN_ENTER(kSound);
  const auto stream = find_stream(entry, handle);
  if (stream == nullptr) return kInvalidHandle;
  *flags = stream->flags;
  return CUDA_SUCCESS;
}

CUresult cuStreamGetPriority(CUstream handle, int* priority) {
  STANDIN_ENTER(kSound);
  const auto stream = find_stream(entry, handle);
  if (stream == nullptr) return kInvalidHandle;
  *priority = stream->priority;
  return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext* context) {
  STANDIN_ENTER(kSound);
  const auto stream = find_stream(entry, handle);
  if (stream == nullptr) return kInvalidHandle;
  *context = stream->context->handle;
  return CUDA_SUCCESS;
}

CUresult cuLaunchHostFunc(CUstream handle, void (*function)(void*), void* data) {
  STANDIN_ENTER(kSound);
  std::shared_ptr<Stream> stream;
  if (const auto result = usable(entry, handle, &stream); result != CUDA_SUCCESS) return result;
  if (function == nullptr) return kInvalidValue;
  Operation operation;
  operation.name = entry.call;
  operation.fault = take_operation_fault(entry.call);
  operation.run_locked = [function, data, context = entry.context.get()](auto& lock) {
    if (context->error == CUDA_SUCCESS) call_back(lock, [&] { function(data); });
  };
  return enqueue(stream, std::move(operation));
}

CUresult cuStreamAddCallback(CUstream handle, CUstreamCallback* callback, void* data, unsigned) {
  STANDIN_ENTER(kSound);
  std::shared_ptr<Stream> stream;
  if (const auto result = usable(entry, handle, &stream); result != CUDA_SUCCESS) return result;
  if (callback == nullptr) return kInvalidValue;
  Operation operation;
  operation.name = entry.call;
  operation.fault = take_operation_fault(entry.call);
  // Unlike a host function it is called with the error when the context has failed.
  operation.run_locked = [handle, callback, data, context = entry.context.get()](auto& lock) {
    const CUresult status = context->error;
    call_back(lock, [&] { callback(handle, status, data); });
  };
  return enqueue(stream, std::move(operation));
}

CUresult cuEventCreate(CUevent* handle, unsigned flags) {
  STANDIN_ENTER(kSound);
  if (handle == nullptr) return kInvalidValue;
  auto event = std::make_shared<Event>();
  event->context = entry.context;
  event->flags = flags;
  *handle = driver().new_handle<CUevent>();
  driver().events[*handle] = std::move(event);
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent handle) {
  STANDIN_ENTER(kSound);
  return driver().events.erase(handle) != 0 ? CUDA_SUCCESS : kInvalidHandle;
}
CUresult cuEventDestroy(CUevent handle) {
  return cuEventDestroy_v2(handle);
}

CUresult cuEventRecord(CUevent handle, CUstream stream) {
  STANDIN_ENTER(kSound);
  return record(entry, handle, stream);
}

CUresult cuEventRecordWithFlags(CUevent handle, CUstream stream, unsigned) {
  STANDIN_ENTER(kSound);
  return record(entry, handle, stream);
}

CUresult cuEventQuery(CUevent handle) {
  STANDIN_ENTER(kSound);
  const auto event = find_event(handle);
  if (event == nullptr) return kInvalidHandle;
  if (event->context->error != CUDA_SUCCESS) return event->context->error;
  return complete(*event) ? CUDA_SUCCESS : kNotReady;
}

CUresult cuEventSynchronize(CUevent handle) {
  STANDIN_ENTER(kSound);
  const auto event = find_event(handle);
  if (event == nullptr) return kInvalidHandle;
  if (event->recorded) wait_for(entry.lock, Point(event->point));
  return event->context->error;
}

CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  STANDIN_ENTER(kSound);
  return elapsed(milliseconds, start, end);
}
CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
  return cuEventElapsedTime(milliseconds, start, end);
}

}  // extern "C"
