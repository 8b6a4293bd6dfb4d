// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fake_device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace nv12slot {

FakeDevice::~FakeDevice() {
  MutexLock lock(mutex_);
  EXPECT_TRUE(memory_.empty()) << memory_.size() << " allocations of domain " << domain_
                               << " were never freed";
  for (const auto& [memory, bytes] : memory_) std::free(reinterpret_cast<void*>(memory));  // NOLINT
}

void FakeDevice::set_auto_complete(bool value) {
  MutexLock lock(mutex_);
  auto_complete_ = value;
}

void FakeDevice::complete_all() {
  MutexLock lock(mutex_);
  for (const auto& event : events_) event->complete = true;
}

void FakeDevice::complete(StreamHandle stream) {
  MutexLock lock(mutex_);
  for (const auto& event : events_) {
    if (event->stream == stream) event->complete = true;
  }
}

void FakeDevice::fail(const std::string& name, Errc code, int count) {
  MutexLock lock(mutex_);
  failures_[name] = {code, count};
}

void FakeDevice::set_kernel(const std::string& name, Kernel run) {
  MutexLock lock(mutex_);
  kernels_[name] = std::move(run);
}

void FakeDevice::set_peer_access(bool value) {
  MutexLock lock(mutex_);
  peer_access_ = value;
}

void FakeDevice::set_hook(std::function<void(const FakeCall&)> hook) {
  MutexLock lock(mutex_);
  hook_ = std::move(hook);
}

std::vector<FakeCall> FakeDevice::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

unsigned FakeDevice::count(const std::string& name) const {
  MutexLock lock(mutex_);
  return static_cast<unsigned>(std::count_if(
      calls_.begin(), calls_.end(), [&](const FakeCall& call) { return call.name == name; }));
}

void FakeDevice::forget_calls() {
  MutexLock lock(mutex_);
  calls_.clear();
}

std::size_t FakeDevice::live_allocations() const {
  MutexLock lock(mutex_);
  return memory_.size();
}

std::size_t FakeDevice::live_bytes() const {
  MutexLock lock(mutex_);
  std::size_t total = 0;
  for (const auto& [memory, bytes] : memory_) total += bytes;
  return total;
}

std::size_t FakeDevice::taken_events() const {
  MutexLock lock(mutex_);
  return events_.size() - free_events_.size();
}

std::size_t FakeDevice::taken_streams() const {
  MutexLock lock(mutex_);
  return streams_.size() - free_streams_.size();
}

Status FakeDevice::begin(FakeCall call) {
  std::function<void(const FakeCall&)> hook;
  Status status;
  {
    MutexLock lock(mutex_);
    calls_.push_back(call);
    hook = hook_;
    const auto failure = failures_.find(call.name);
    if (failure != failures_.end() && failure->second.count != 0) {
      if (failure->second.count > 0) --failure->second.count;
      status = Error{failure->second.code, call.name + " was told to fail"};
    }
  }
  if (hook) hook(call);
  return status;
}

Result<std::uintptr_t> FakeDevice::allocate(std::size_t bytes, StreamHandle stream) {
  if (Status status = begin({"allocate", stream}); !status) return status.error();
  // No byte more than asked for, so that a sanitizer sees what goes beyond.
  void* memory = nullptr;
  if (posix_memalign(&memory, row_alignment(), bytes) != 0) {
    return Error{Errc::kOutOfMemory, "no memory of that size"};
  }
  MutexLock lock(mutex_);
  memory_[reinterpret_cast<std::uintptr_t>(memory)] = bytes;
  return reinterpret_cast<std::uintptr_t>(memory);
}

Status FakeDevice::free(std::uintptr_t memory, StreamHandle stream) {
  // Memory whose free fails is gone for the caller all the same.
  Status status = begin({"free", stream, nullptr, memory});
  {
    MutexLock lock(mutex_);
    if (memory_.erase(memory) == 0) {
      ADD_FAILURE() << "free of memory that is not allocated: " << memory;
      return Error{Errc::kDeviceFailed, "not allocated"};
    }
  }
  std::free(reinterpret_cast<void*>(memory));  // NOLINT: what allocate() gave
  return status;
}

Result<StreamHandle> FakeDevice::take_stream() {
  if (Status status = begin({"take_stream"}); !status) return status.error();
  MutexLock lock(mutex_);
  if (free_streams_.empty()) {
    streams_.push_back(std::make_unique<Stream>());
    return StreamHandle{streams_.back().get()};
  }
  return free_streams_.extract(free_streams_.begin()).value();
}

void FakeDevice::give_stream(StreamHandle stream) {
  (void)begin({"give_stream", stream});
  MutexLock lock(mutex_);
  EXPECT_TRUE(free_streams_.insert(stream).second) << "stream given back twice";
}

Result<EventHandle> FakeDevice::take_event() {
  if (Status status = begin({"take_event"}); !status) return status.error();
  MutexLock lock(mutex_);
  if (free_events_.empty()) {
    events_.push_back(std::make_unique<Event>());
    return EventHandle{events_.back().get()};
  }
  return free_events_.extract(free_events_.begin()).value();
}

void FakeDevice::give_event(EventHandle event) {
  (void)begin({"give_event", nullptr, event});
  MutexLock lock(mutex_);
  EXPECT_TRUE(free_events_.insert(event).second) << "event given back twice";
}

Status FakeDevice::record(EventHandle event, StreamHandle stream) {
  if (Status status = begin({"record", stream, event}); !status) return status;
  MutexLock lock(mutex_);
  *static_cast<Event*>(event) = {stream, auto_complete_};
  return {};
}

Result<bool> FakeDevice::is_complete(EventHandle event) {
  if (Status status = begin({"is_complete", nullptr, event}); !status) return status.error();
  MutexLock lock(mutex_);
  return static_cast<Event*>(event)->complete;
}

Status FakeDevice::wait(StreamHandle stream, EventHandle event) {
  return begin({"wait", stream, event});
}

Status FakeDevice::check_domains(Domain from, Domain to) const {
  MutexLock lock(mutex_);
  const bool writes = to == domain_ || to == kHostDomain;
  if (writes && (from == domain_ || from == kHostDomain || readable_.count(from) != 0)) return {};
  return Error{Errc::kInvalidArgument, "this device cannot copy between these domains"};
}

Status FakeDevice::copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source,
                        Domain from, std::uint32_t width, std::uint32_t height,
                        StreamHandle stream) {
  if (Status status = begin({"copy", stream, nullptr, destination.y}); !status) return status;
  if (Status status = check_domains(from, to); !status) return status;
  return host_.copy(destination, kHostDomain, source, kHostDomain, width, height, nullptr);
}

Status FakeDevice::convert_p010(const Nv12Planes& destination, const Nv12Planes& source,
                                std::uint32_t width, std::uint32_t height, StreamHandle stream) {
  if (Status status = begin({"convert_p010", stream, nullptr, destination.y}); !status) {
    return status;
  }
  return host_.convert_p010(destination, source, width, height, nullptr);
}

Status FakeDevice::copy_bytes(std::uintptr_t destination, Domain to, std::uintptr_t source,
                              Domain from, std::size_t bytes, StreamHandle stream) {
  if (Status status = begin({"copy_bytes", stream, nullptr, destination}); !status) return status;
  if (Status status = check_domains(from, to); !status) return status;
  return host_.copy_bytes(destination, kHostDomain, source, kHostDomain, bytes, nullptr);
}

Status FakeDevice::read_from(Device& other) {
  if (Status status = begin({"read_from"}); !status) return status;
  if (other.domain() == domain_) return {};
  if (other.domain() == kHostDomain) {
    return Error{Errc::kInvalidArgument, "the host has no memory for peers"};
  }
  MutexLock lock(mutex_);
  if (peer_access_) readable_.insert(other.domain());
  if (readable_.count(other.domain()) != 0) return {};
  return Error{Errc::kNoDevice, "no peer access"};
}

Result<KernelHandle> FakeDevice::load_kernel(const void* image, const char* name) {
  if (Status status = begin({"load_kernel"}); !status) return status.error();
  if (image == nullptr || name == nullptr) return Error{Errc::kInvalidArgument, "no kernel"};
  MutexLock lock(mutex_);
  auto& kernel = loaded_[{image, name}];
  if (kernel == nullptr) kernel = std::make_unique<std::string>(name);
  return KernelHandle{kernel.get()};
}

Status FakeDevice::launch(KernelHandle kernel, const LaunchGrid& grid, void** parameters,
                          StreamHandle stream) {
  if (Status status = begin({"launch", stream}); !status) return status;
  if (kernel == nullptr) return Error{Errc::kInvalidArgument, "no kernel"};
  Kernel run;
  {
    MutexLock lock(mutex_);
    const auto found = kernels_.find(*static_cast<const std::string*>(kernel));
    if (found != kernels_.end()) run = found->second;
  }
  if (run) run(grid, parameters);
  return {};
}

Status FakeDevice::run(const std::function<void()>& work) {
  if (Status status = begin({"run"}); !status) return status;
  return host_.run(work);
}

Status FakeDevice::synchronize(StreamHandle stream) {
  return begin({"synchronize", stream});
}

}  // namespace nv12slot
