// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "nv12slot/device.h"

namespace nv12slot {

/// The host as a domain: plain memory, copies done by the calling thread, streams and events that
/// are nullptr and always complete.
class HostDevice final : public Device {
 public:
  [[nodiscard]] Domain domain() const override { return kHostDomain; }
  [[nodiscard]] void* context() const override { return nullptr; }
  [[nodiscard]] std::size_t row_alignment() const override { return 64; }
  Result<std::uintptr_t> allocate(std::size_t bytes, StreamHandle stream) override;
  Status free(std::uintptr_t memory, StreamHandle stream) override;
  Result<StreamHandle> take_stream() override { return StreamHandle{nullptr}; }
  void give_stream(StreamHandle) override {}
  Result<EventHandle> take_event() override { return EventHandle{nullptr}; }
  void give_event(EventHandle) override {}
  Status record(EventHandle, StreamHandle) override { return {}; }
  Result<bool> is_complete(EventHandle) override { return true; }
  Status wait(StreamHandle, EventHandle) override { return {}; }
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
  Status synchronize(StreamHandle) override { return {}; }
  Status run(const std::function<void()>& work) override;
};

}  // namespace nv12slot
