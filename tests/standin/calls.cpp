// SPDX-License-Identifier: LGPL-2.1-or-later

#include "calls.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cctype>
#include <deque>
#include <memory>
#include <mutex>
#include <set>

#include "driver.h"

namespace nv12slot::standin {
namespace {

constexpr size_t kMaxCalls = 320;

struct ThreadCalls {
  std::array<std::atomic<uint64_t>, kMaxCalls> counts{};
};

// Separate from the driver's mutex, because counting comes first in every call.
struct Registry {
  std::mutex mutex;
  std::deque<std::string> names;
  std::map<int, std::unique_ptr<ThreadCalls>> threads;
  std::map<std::string, Fault> faults;  // any call's has no name
  std::map<std::string, uint64_t> faults_taken;
  std::set<int> spared;
  std::map<std::string, Fault> operation_faults;
};

Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

std::string without_version(const std::string& name) {
  const size_t size = name.size();
  const bool versioned =
      size > 3 && name[size - 3] == '_' && name[size - 2] == 'v' && std::isdigit(name[size - 1]);
  return versioned ? name.substr(0, size - 3) : name;
}

ThreadCalls& calls_of_this_thread() {
  thread_local ThreadCalls* calls = nullptr;
  if (calls == nullptr) {
    Registry& state = registry();
    const std::lock_guard<std::mutex> lock(state.mutex);
    // A thread that got the id of one that ended goes on with its counters.
    auto& slot = state.threads[gettid()];
    if (slot == nullptr) slot = std::make_unique<ThreadCalls>();
    calls = slot.get();
  }
  return *calls;
}

uint64_t sum(const Registry& state, const ThreadCalls& calls, const char* name) {
  uint64_t total = 0;
  for (size_t call = 0; call < state.names.size(); call++) {
    if (name == nullptr || state.names[call] == name) total += calls.counts[call];
  }
  return total;
}

CUresult take(std::map<std::string, Fault>& faults, const std::string& name) {
  const auto found = faults.find(name);
  if (found == faults.end()) return CUDA_SUCCESS;
  Fault& fault = found->second;
  if (fault.skip > 0) {
    fault.skip--;
    return CUDA_SUCCESS;
  }
  if (fault.count == 0) return CUDA_SUCCESS;
  if (fault.count > 0) fault.count--;
  return fault.result;
}

}  // namespace

int register_call(const char* name) {
  const std::string plain = without_version(name);
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  for (size_t call = 0; call < state.names.size(); call++) {
    if (state.names[call] == plain) return static_cast<int>(call);
  }
  state.names.push_back(plain);
  return static_cast<int>(state.names.size() - 1);
}

const char* call_name(int call) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  return state.names[static_cast<size_t>(call)].c_str();
}

void count_call(int call) {
  calls_of_this_thread().counts[static_cast<size_t>(call)].fetch_add(1, std::memory_order_relaxed);
}

uint64_t calls_of(const char* name) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  uint64_t total = 0;
  for (const auto& [thread, calls] : state.threads) total += sum(state, *calls, name);
  return total;
}

uint64_t calls_of(const char* name, int thread) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  const auto found = state.threads.find(thread);
  return found == state.threads.end() ? 0 : sum(state, *found->second, name);
}

std::vector<int> callers_of(const char* name) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  std::vector<int> threads;
  for (const auto& [thread, calls] : state.threads) {
    if (sum(state, *calls, name) != 0) threads.push_back(thread);
  }
  return threads;
}

std::map<std::string, uint64_t> all_calls() {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  std::map<std::string, uint64_t> totals;
  for (const std::string& name : state.names) {
    for (const auto& [thread, calls] : state.threads) {
      totals[name] += sum(state, *calls, name.c_str());
    }
  }
  return totals;
}

void reset_calls() {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  for (const auto& [thread, calls] : state.threads) {
    for (auto& count : calls->counts) count = 0;
  }
}

void set_fault(const char* name, Fault fault) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.faults[name != nullptr ? without_version(name) : ""] = fault;
}

uint64_t faults_of(const char* name) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  uint64_t total = 0;
  for (const auto& [call, taken] : state.faults_taken) {
    if (name == nullptr || call == name) total += taken;
  }
  return total;
}

void spare_thread(int thread) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.spared.insert(thread);
}

void set_operation_fault(const char* name, Fault fault) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.operation_faults[without_version(name)] = fault;
}

CUresult take_fault(const char* name) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  if (state.faults.empty() || state.spared.contains(gettid())) return CUDA_SUCCESS;
  CUresult result = take(state.faults, name);
  if (result == CUDA_SUCCESS) result = take(state.faults, "");
  if (result != CUDA_SUCCESS) state.faults_taken[name]++;
  return result;
}

CUresult take_operation_fault(const char* call) {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  return take(state.operation_faults, call);
}

void reset_faults() {
  Registry& state = registry();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.faults.clear();
  state.faults_taken.clear();
  state.spared.clear();
  state.operation_faults.clear();
}

}  // namespace nv12slot::standin
