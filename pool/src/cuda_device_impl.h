// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>

#include "cuda_driver.h"
#include "cuda_kernels.h"
#include "handle_list.h"
#include "nv12slot/device.h"
#include "nv12slot/mutex.h"

namespace nv12slot {

/// Device on the driver API. cuda_device.cpp has its life, memory, streams and events;
/// cuda_copy.cpp has what moves data. Locks: those inside the HandleLists and CudaKernels, and one
/// for what is known of peers; each alone, and none across a driver call.
class CudaDevice final : public Device {
 public:
  CudaDevice(const CudaDriver& driver, int ordinal)
      : driver_(driver), ordinal_(ordinal), kernels_(driver) {}
  ~CudaDevice() override;

  // Called once, first; on failure the object can only be destroyed.
  Status open();

  [[nodiscard]] Domain domain() const override { return ordinal_; }
  [[nodiscard]] void* context() const override { return context_; }
  [[nodiscard]] std::size_t row_alignment() const override { return row_alignment_; }
  Result<std::uintptr_t> allocate(std::size_t bytes, StreamHandle stream) override;
  Status free(std::uintptr_t memory, StreamHandle stream) override;
  Result<StreamHandle> take_stream() override;
  void give_stream(StreamHandle stream) override { streams_.give(stream); }
  Result<EventHandle> take_event() override;
  void give_event(EventHandle event) override { events_.give(event); }
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
  Status open_memory_pool();
  // Of copy_nv12.cu.
  Status load_kernels();
  Status warm_kernels_up();
  Status launch_copy(const Nv12Planes& destination, const Nv12Planes& source, std::uint32_t width,
                     std::uint32_t height, StreamHandle stream);
  Status launch_convert(const Nv12Planes& destination, const Nv12Planes& source,
                        std::uint32_t width, std::uint32_t height, StreamHandle stream);
  Status launch_rows(KernelHandle kernel, std::uint32_t height, void** parameters,
                     StreamHandle stream);

  // Success where this device may copy from one domain to the other.
  Status check_domains(Domain from, Domain to) NV12SLOT_EXCLUDES(peers_mutex_);
  Status make_readable(const CudaDevice& peer);

  const CudaDriver& driver_;
  const int ordinal_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;  // retained once set
  CUmemoryPool pool_ = nullptr;  // nullptr: the device has no such pools
  CudaKernels kernels_;
  // nullptr: the driver cannot load them
  KernelHandle copy_nv12_ = nullptr;
  KernelHandle convert_p010_ = nullptr;
  std::size_t row_alignment_ = 0;
  int highest_priority_ = 0;
  HandleList streams_;
  HandleList events_;
  Mutex peers_mutex_;
  // What read_from() has found out.
  std::map<Domain, Status> peers_ NV12SLOT_GUARDED_BY(peers_mutex_);
};

}  // namespace nv12slot
