// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "nv12slot/nv12_layout.h"
#include "nv12slot/result.h"

namespace nv12slot {

/// Where memory lives: a CUDA device by its ordinal, or the host.
using Domain = int;
inline constexpr Domain kHostDomain = -1;
/// Most domains a process can have, the host included.
inline constexpr int kMaxDomains = 33;
[[nodiscard]] constexpr bool is_valid_domain(Domain domain) {
  return domain >= kHostDomain && domain < kMaxDomains - 1;
}

/// A CUstream or CUevent, opaque so that users need no CUDA headers. The host's are nullptr.
using StreamHandle = void*;
using EventHandle = void*;

/// What the pool needs of a domain: memory, streams, events, one copy. Owned by the process and
/// never destroyed. Every call may come from any thread, with any or no context current, and
/// leaves the caller's current context as it was. No call is made with a lock of the pool held.
class Device {
 public:
  virtual ~Device() = default;

  [[nodiscard]] virtual Domain domain() const = 0;
  /// The CUcontext everything lives in (the device's primary one); nullptr on the host.
  [[nodiscard]] virtual void* context() const = 0;
  /// Rows start at multiples of this many bytes.
  [[nodiscard]] virtual std::size_t row_alignment() const = 0;

  /// Uninitialised memory, aligned to row_alignment(), usable in every stream on return. On CUDA it
  /// comes from a memory pool of the driver's that keeps what it once had, in `stream`'s order: no
  /// allocation and no free ever waits for other work (cuMemFree does, and stalls every thread of
  /// the process meanwhile: docs/performance.md). Fails with kOutOfMemory or kDeviceFailed.
  virtual Result<std::uintptr_t> allocate(std::size_t bytes, StreamHandle stream) = 0;
  /// Gives memory back once the work now in `stream` is done; does not wait.
  virtual Status free(std::uintptr_t memory, StreamHandle stream) = 0;

  /// A non-blocking stream of the highest priority, new or one that was given back; streams are
  /// never destroyed. Highest, so that a copy waits for no more than the blocks that run already
  /// when inference fills the GPU.
  virtual Result<StreamHandle> take_stream() = 0;
  virtual void give_stream(StreamHandle stream) = 0;
  /// An event without timing, new or one that was given back; events are never destroyed.
  virtual Result<EventHandle> take_event() = 0;
  virtual void give_event(EventHandle event) = 0;

  /// Marks the point in `stream` after what was put there so far.
  virtual Status record(EventHandle event, StreamHandle stream) = 0;
  /// True once the recorded point was reached; an Error when the device failed.
  virtual Result<bool> is_complete(EventHandle event) = 0;
  /// Work put into `stream` from now on waits, on the GPU, for `event`.
  virtual Status wait(StreamHandle stream, EventHandle event) = 0;

  /// Puts the copy of a picture into `stream` and returns without waiting for it, except where
  /// host memory is one side (pageable memory: the driver may stage it). `from` and `to` are this
  /// device's domain or the host. Both pictures stay valid until the copy is complete.
  virtual Status copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source,
                      Domain from, std::uint32_t width, std::uint32_t height,
                      StreamHandle stream) = 0;
  /// Puts the copy of a picture of 16-bit samples (P010, P012, P016: the value in the high bits,
  /// the rest 0) into `stream` as 8-bit ones: min(255, (v + 128) / 256), to the nearest. `source`
  /// has the planes of such a picture, twice as many bytes in a row. Both are in this device's
  /// domain, and stay valid until the copy is complete. Does not wait.
  virtual Status convert_p010(const Nv12Planes& destination, const Nv12Planes& source,
                              std::uint32_t width, std::uint32_t height, StreamHandle stream) = 0;
  /// Blocks the calling thread until all work in `stream`, and only that, is done.
  virtual Status synchronize(StreamHandle stream) = 0;

  /// Runs `work` on the calling thread, for code that calls the driver by itself (a decoder's
  /// library): with this device's context current, and with the thread's stream capture mode
  /// relaxed, so that no other thread's CUDA graph capture is spoiled. kExiting, and `work` does
  /// not run, once exit() has begun.
  virtual Status run(const std::function<void()>& work) = 0;
};

}  // namespace nv12slot
