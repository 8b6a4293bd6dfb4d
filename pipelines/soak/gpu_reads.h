// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12slot.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace soak {

/// What reading a picture gave.
struct ReadOutcome {
  std::uint64_t sum = 0;  ///< of all its bytes; any changed one changes it
  bool changed = false;   ///< it was not the same all the while
};

/// Reads of pictures on a device as inference makes them: kernels in streams of their own, one
/// stream for each camera, that go on after the call that launched them. Of one thread. Throws
/// std::runtime_error where the driver fails.
class GpuReads {
 public:
  /// Device `device` has been opened by the pool.
  GpuReads(int device, unsigned cameras);
  ~GpuReads();
  GpuReads(const GpuReads&) = delete;
  GpuReads& operator=(const GpuReads&) = delete;

  /// Launches a kernel that waits for the picture and reads it, over and over for `duration`.
  /// Returns the read's number, or nothing when there are too many under way.
  [[nodiscard]] std::optional<unsigned> begin(GstNv12SlotFrame* frame, unsigned camera,
                                              std::chrono::milliseconds duration);
  /// Says that the reads of `camera` that were begun are the last ones of `frame`.
  void fence(GstNv12SlotFrame* frame, unsigned camera);
  /// What read number `read` gave, and forgets it; nothing while it goes on.
  [[nodiscard]] std::optional<ReadOutcome> take(unsigned read);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Memory in use on `device`, by every process; nothing where that cannot be asked.
[[nodiscard]] std::optional<double> device_memory_mib(int device);

}  // namespace soak
