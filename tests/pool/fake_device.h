// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "nv12slot/device.h"
#include "nv12slot/host_device.h"
#include "nv12slot/mutex.h"

namespace nv12slot {

/// One call that a FakeDevice was asked for; what the call does not have is 0.
struct FakeCall {
  std::string name;  ///< "allocate", "free", "take_stream", ... as in Device
  StreamHandle stream = nullptr;
  EventHandle event = nullptr;
  std::uintptr_t memory = 0;
};

/// A device whose time a test controls. Memory is host memory, copies and kernels are done at once,
/// and a recorded event is complete when the test says so. Made by a test, usually handed to a
/// pool; keeps working through a raw pointer for as long as the pool lives. Fails the test that
/// leaves memory allocated when the device is destroyed. Any thread.
class FakeDevice final : public Device {
 public:
  explicit FakeDevice(Domain domain = 0) : domain_(domain) {}
  ~FakeDevice() override;

  // What a test sets.

  /// Whether events are complete as soon as they are recorded; true at first.
  void set_auto_complete(bool value) NV12SLOT_EXCLUDES(mutex_);
  /// Completes every event recorded so far, or those recorded in `stream`.
  void complete_all() NV12SLOT_EXCLUDES(mutex_);
  void complete(StreamHandle stream) NV12SLOT_EXCLUDES(mutex_);
  /// Lets the next `count` calls of that name fail with `code`; count < 0: all from now on, 0:
  /// none.
  void fail(const std::string& name, Errc code, int count = 1) NV12SLOT_EXCLUDES(mutex_);
  /// What launch() runs, on the calling thread, for kernels of that name; without it they do
  /// nothing. Any image has a kernel of any name.
  void set_kernel(const std::string& name, std::function<void(const LaunchGrid&, void**)> run)
      NV12SLOT_EXCLUDES(mutex_);
  /// Whether read_from() finds peer access to other devices; true at first. What it has found
  /// stays.
  void set_peer_access(bool value) NV12SLOT_EXCLUDES(mutex_);
  /// Runs at the beginning of every call, on its thread, with no lock of this class held. A test
  /// that calls into the pool from here hangs where the pool holds its lock across device calls.
  void set_hook(std::function<void(const FakeCall&)> hook) NV12SLOT_EXCLUDES(mutex_);

  // What a test reads.

  /// Every call so far, in order.
  [[nodiscard]] std::vector<FakeCall> calls() const NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] unsigned count(const std::string& name) const NV12SLOT_EXCLUDES(mutex_);
  void forget_calls() NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t live_allocations() const NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t live_bytes() const NV12SLOT_EXCLUDES(mutex_);
  /// Events and streams that were taken and not given back.
  [[nodiscard]] std::size_t taken_events() const NV12SLOT_EXCLUDES(mutex_);
  [[nodiscard]] std::size_t taken_streams() const NV12SLOT_EXCLUDES(mutex_);

  // Device

  [[nodiscard]] Domain domain() const override { return domain_; }
  [[nodiscard]] void* context() const override { return nullptr; }
  [[nodiscard]] std::size_t row_alignment() const override { return 512; }
  Result<std::uintptr_t> allocate(std::size_t bytes, StreamHandle stream) override;
  Status free(std::uintptr_t memory, StreamHandle stream) override;
  Result<StreamHandle> take_stream() override;
  void give_stream(StreamHandle stream) override;
  Result<EventHandle> take_event() override;
  void give_event(EventHandle event) override;
  Status record(EventHandle event, StreamHandle stream) override;
  Result<bool> is_complete(EventHandle event) override;
  Status wait(StreamHandle stream, EventHandle event) override;
  Status copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source, Domain from,
              std::uint32_t width, std::uint32_t height, StreamHandle stream) override;
  Status convert_p010(const Nv12Planes& destination, const Nv12Planes& source, std::uint32_t width,
                      std::uint32_t height, StreamHandle stream) override;
  Status copy_bytes(std::uintptr_t destination, Domain to, std::uintptr_t source, Domain from,
                    std::size_t bytes, StreamHandle stream) override;
  Status read_from(Device& other) override;
  Result<KernelHandle> load_kernel(const void* image, const char* name) override;
  Status launch(KernelHandle kernel, const LaunchGrid& grid, void** parameters,
                StreamHandle stream) override;
  Status synchronize(StreamHandle stream) override;
  Status run(const std::function<void()>& work) override;

 private:
  struct Stream {};
  struct Event {
    StreamHandle stream = nullptr;
    bool complete = true;
  };
  struct Failure {
    Errc code = Errc::kDeviceFailed;
    int count = 0;
  };

  using Kernel = std::function<void(const LaunchGrid&, void**)>;

  /// As every device does it: between the device itself and the host, and from what it can read.
  Status check_domains(Domain from, Domain to) const NV12SLOT_EXCLUDES(mutex_);
  /// Logs the call, runs the hook and takes a failure if one was ordered.
  Status begin(FakeCall call) NV12SLOT_EXCLUDES(mutex_);

  const Domain domain_;
  HostDevice host_;
  mutable Mutex mutex_;
  bool auto_complete_ NV12SLOT_GUARDED_BY(mutex_) = true;
  std::function<void(const FakeCall&)> hook_ NV12SLOT_GUARDED_BY(mutex_);
  std::map<std::string, Failure> failures_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<FakeCall> calls_ NV12SLOT_GUARDED_BY(mutex_);
  std::map<std::uintptr_t, std::size_t> memory_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Event>> events_ NV12SLOT_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Stream>> streams_ NV12SLOT_GUARDED_BY(mutex_);
  std::map<std::pair<const void*, std::string>, std::unique_ptr<std::string>> loaded_
      NV12SLOT_GUARDED_BY(mutex_);  // a handle points to its kernel's name
  std::map<std::string, Kernel> kernels_ NV12SLOT_GUARDED_BY(mutex_);
  bool peer_access_ NV12SLOT_GUARDED_BY(mutex_) = true;
  std::set<Domain> readable_ NV12SLOT_GUARDED_BY(mutex_);
  std::set<EventHandle> free_events_ NV12SLOT_GUARDED_BY(mutex_);
  std::set<StreamHandle> free_streams_ NV12SLOT_GUARDED_BY(mutex_);
};

}  // namespace nv12slot
