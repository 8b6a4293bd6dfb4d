// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

/// Sums planes of bytes in a stream of its own. One thread.
class LumaKernel {
 public:
  virtual ~LumaKernel() = default;

  /// For a device, by its ordinal; nullptr where CUDA has none, or the program was built without
  /// it.
  static std::unique_ptr<LumaKernel> open(int device);

  /// A cudaStream_t.
  [[nodiscard]] virtual void* stream() const = 0;
  /// Puts the sum of a plane at a device address into the stream. Does not wait. False: CUDA
  /// failed.
  [[nodiscard]] virtual bool add(std::uint64_t plane, std::size_t stride, unsigned width,
                                 unsigned height) = 0;
  /// Waits for the stream. All that was added so far.
  [[nodiscard]] virtual std::uint64_t sum() = 0;
};
