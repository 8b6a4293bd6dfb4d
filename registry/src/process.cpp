// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/process.h"

#include <memory>

#include "nv12slot/cuda_device.h"
#include "nv12slot/host_device.h"

namespace nv12slot {

extern "C" __attribute__((visibility("default"))) const Process* nv12slot_process_v1() {
  // Never destroyed: frames may be released while static objects are, and later.
  static const Process* const process =
      new Process{new SlotPool(
                      steady_clock(),
                      [](Domain domain) -> Result<std::unique_ptr<Device>> {
                        if (domain == kHostDomain) return std::unique_ptr<Device>(new HostDevice);
                        return open_cuda_device(domain);
                      },
                      pool_settings_from_environment()),
                  new FrameRegistry(steady_clock())};
  return process;
}

}  // namespace nv12slot
