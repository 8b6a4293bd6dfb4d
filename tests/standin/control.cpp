// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The control interface (standin.h) and the report at exit.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "calls.h"
#include "driver.h"
#include "kernels.h"
#include "standin.h"

using namespace nv12slot::standin;

namespace {

using Lock = std::unique_lock<std::mutex>;

bool concerns(int device, int asked) {
  return asked < 0 || device == asked;
}

uint64_t sum_devices(int device, const std::function<uint64_t(int)>& value) {
  const Lock lock(driver().mutex);
  uint64_t sum = 0;
  for (int i = 0; i < kDeviceCount; i++) {
    if (concerns(i, device)) sum += value(i);
  }
  return sum;
}

template <typename Objects>
uint64_t count_of_device(const Objects& objects, int device) {
  return static_cast<uint64_t>(std::count_if(objects.begin(), objects.end(), [&](const auto& o) {
    return o.second->context->device == device;
  }));
}

}  // namespace

extern "C" {

void standin_reset() {
  reset_calls();
  reset_faults();
  Driver& state = driver();
  const Lock lock(state.mutex);
  for (auto& [id, gate] : state.gates) gate.open = true;
  state.progress.notify_all();
  for (auto& [handle, context] : state.contexts) context->error = CUDA_SUCCESS;
  state.delay = {};
  state.cost_model = false;
  state.decode_status = 2;
  state.memory.set_limit(kDefaultMemoryLimit);
  state.peer_access = true;
  state.capturing = false;
  state.spoiled_captures = 0;
  state.hazards = 0;
  state.last_hazard.clear();
  state.calls_after_exit = 0;
}

uint64_t standin_calls(const char* name) {
  return calls_of(name);
}

uint64_t standin_thread_calls(const char* name, int thread) {
  return calls_of(name, thread);
}

size_t standin_callers(const char* name, int* threads, size_t capacity) {
  const std::vector<int> callers = callers_of(name);
  std::copy_n(callers.begin(), std::min(capacity, callers.size()), threads);
  return callers.size();
}

uint64_t standin_calls_after_exit() {
  return driver().calls_after_exit;
}

uint64_t standin_bytes_allocated(int device) {
  return sum_devices(device, [](int i) { return driver().memory.used(i); });
}

uint64_t standin_live_allocations(int device) {
  return sum_devices(device, [](int i) { return driver().memory.live(i); });
}

uint64_t standin_live_host_allocations() {
  const Lock lock(driver().mutex);
  return driver().memory.live_host();
}

uint64_t standin_live_contexts(int device) {
  const Lock lock(driver().mutex);
  return static_cast<uint64_t>(
      std::count_if(driver().contexts.begin(), driver().contexts.end(), [&](const auto& entry) {
        return entry.second->alive && concerns(entry.second->device, device);
      }));
}

uint64_t standin_live_streams(int device) {
  return sum_devices(device, [](int i) { return count_of_device(driver().streams, i); });
}

uint64_t standin_live_events(int device) {
  return sum_devices(device, [](int i) { return count_of_device(driver().events, i); });
}

uint64_t standin_live_decoders(int device) {
  return sum_devices(device, [](int i) { return driver().decoders[i]; });
}

uint64_t standin_pending_operations(int device) {
  const Lock lock(driver().mutex);
  uint64_t pending = 0;
  for (const auto& [id, stream] : driver().timelines) {
    if (concerns(stream->context->device, device)) pending += stream->enqueued - stream->completed;
  }
  return pending;
}

void standin_fail(const char* name, int result, int skip, int count) {
  set_fault(name, {static_cast<CUresult>(result), skip, count});
}

uint64_t standin_faults(const char* name) {
  return faults_of(name);
}

void standin_spare(int thread) {
  spare_thread(thread);
}

void standin_fail_operation(const char* name, int result, int skip, int count) {
  set_operation_fault(name, {static_cast<CUresult>(result), skip, count});
}

void standin_stick(int device, void* context, int result) {
  const Lock lock(driver().mutex);
  for (auto& [handle, candidate] : driver().contexts) {
    const bool meant = context != nullptr
                           ? handle == context
                           : candidate->primary && concerns(candidate->device, device);
    if (meant) candidate->error = static_cast<CUresult>(result);
  }
}

void standin_set_decode_status(int status) {
  const Lock lock(driver().mutex);
  driver().decode_status = status;
}

void standin_set_capturing(int on) {
  const Lock lock(driver().mutex);
  driver().capturing = on != 0;
}

uint64_t standin_spoiled_captures() {
  const Lock lock(driver().mutex);
  return driver().spoiled_captures;
}

void standin_set_peer_access(int on) {
  const Lock lock(driver().mutex);
  driver().peer_access = on != 0;
}

void standin_set_delay(uint64_t latency_us, uint64_t bytes_per_us) {
  const Lock lock(driver().mutex);
  driver().delay = {latency_us, bytes_per_us};
}

void standin_set_cost_model(int on) {
  const Lock lock(driver().mutex);
  driver().cost_model = on != 0;
}

void standin_set_memory_limit(uint64_t bytes) {
  const Lock lock(driver().mutex);
  driver().memory.set_limit(bytes);
}

uint64_t standin_close_gate(void* handle) {
  Driver& state = driver();
  const Lock lock(state.mutex);
  Entry entry;
  entry.context = find_context(current_handle());
  if (handle == nullptr && entry.context == nullptr) return 0;
  const auto stream = find_stream(entry, static_cast<CUstream>(handle));
  if (stream == nullptr) return 0;
  const uint64_t id = state.next_gate++;
  state.gates[id] = {};
  Operation operation;
  operation.name = "gate";
  operation.run_locked = [&state, id](Lock& held) {
    state.gates[id].reached = true;
    state.progress.notify_all();
    state.progress.wait(held, [&] { return state.gates[id].open; });
  };
  enqueue(stream, std::move(operation));
  return id;
}

void standin_wait_for_gate(uint64_t gate) {
  Lock lock(driver().mutex);
  driver().progress.wait(lock, [&] { return driver().gates[gate].reached; });
}

void standin_open_gate(uint64_t gate) {
  const Lock lock(driver().mutex);
  driver().gates[gate].open = true;
  driver().progress.notify_all();
}

uint64_t standin_hazards() {
  const Lock lock(driver().mutex);
  return driver().hazards;
}

const char* standin_last_hazard() {
  thread_local std::string text;
  const Lock lock(driver().mutex);
  text = driver().last_hazard;
  return text.c_str();
}

void standin_register_kernel(const standin_kernel* kernel) {
  const Lock lock(driver().mutex);
  kernels()[kernel->name] = {
      {kernel->parameter_sizes, kernel->parameter_sizes + kernel->parameter_count},
      kernel->run,
      kernel->ranges};
}

}  // extern "C"

namespace nv12slot::standin {

void write_report() {
  const char* path = std::getenv("NV12SLOT_STANDIN_REPORT");
  if (path == nullptr || *path == '\0') return;
  std::FILE* file = std::fopen(path, "a");
  if (file == nullptr) return;
  const auto put = [&](const char* name, uint64_t value) {
    std::fprintf(file, "%s %llu\n", name, static_cast<unsigned long long>(value));
  };
  for (const auto& [name, count] : all_calls()) put(name.c_str(), count);
  put("calls_after_exit", driver().calls_after_exit);
  put("bytes_allocated", standin_bytes_allocated(-1));
  put("live_allocations", standin_live_allocations(-1));
  put("live_host_allocations", standin_live_host_allocations());
  put("live_contexts", standin_live_contexts(-1));
  put("live_streams", standin_live_streams(-1));
  put("live_events", standin_live_events(-1));
  put("live_decoders", standin_live_decoders(-1));
  put("hazards", standin_hazards());
  if (standin_hazards() != 0) std::fprintf(file, "last_hazard %s\n", standin_last_hazard());
  std::fclose(file);
}

}  // namespace nv12slot::standin
