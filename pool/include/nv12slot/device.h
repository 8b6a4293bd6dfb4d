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
/// A CUfunction, opaque likewise.
using KernelHandle = void*;

/// How many blocks a kernel runs in, and how many threads each has; x, y, z.
struct LaunchGrid {
  std::uint32_t grid[3] = {1, 1, 1};
  std::uint32_t block[3] = {1, 1, 1};
};

/// What is needed of a domain: memory, streams, events, copies, kernels. Owned by the process and
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
  /// device's domain or the host; `from` may also be a device that read_from() has made readable.
  /// Both pictures stay valid until the copy is complete. Fails with kInvalidArgument (another
  /// domain), kDeviceFailed or kExiting.
  virtual Status copy(const Nv12Planes& destination, Domain to, const Nv12Planes& source,
                      Domain from, std::uint32_t width, std::uint32_t height,
                      StreamHandle stream) = 0;
  /// Puts the copy of a picture of 16-bit samples (P010, P012, P016: the value in the high bits,
  /// the rest 0) into `stream` as 8-bit ones: min(255, (v + 128) / 256), to the nearest. `source`
  /// has the planes of such a picture, twice as many bytes in a row. Both are in this device's
  /// domain, and stay valid until the copy is complete. Does not wait.
  virtual Status convert_p010(const Nv12Planes& destination, const Nv12Planes& source,
                              std::uint32_t width, std::uint32_t height, StreamHandle stream) = 0;
  /// As copy(), of `bytes` bytes in one piece, for what is no picture; 0 bytes are no copy. The two
  /// do not overlap.
  virtual Status copy_bytes(std::uintptr_t destination, Domain to, std::uintptr_t source,
                            Domain from, std::size_t bytes, StreamHandle stream) = 0;

  /// Makes what `other` allocates, and has allocated, readable by this device: by its kernels, and
  /// as the source of copy() and copy_bytes(). For this device's own memory that is so anyway. The
  /// reads are ordered by nobody: let the stream that reads wait for a Fence of the other device's.
  /// Asks and changes the driver once for each device, which takes milliseconds and more where
  /// `other` has much memory; from then on the answer is known and no call is made. Lasts as long
  /// as both devices. Fails with kNoDevice where the machine has no such access (copy through the
  /// host then), with kInvalidArgument where one of two different devices is the host, else with
  /// kDeviceFailed or kExiting, after which it can be tried again.
  virtual Status read_from(Device& other) = 0;

  /// A kernel of `image`, the machine code that a compiler made for this kind of device (a fatbin,
  /// a cubin, or PTX as text), which is neither copied nor changed: it stays where it is for ever.
  /// `name` is the kernel's, without C++ mangling. Loaded by the first call for an image and a
  /// name, which may take milliseconds and lets other threads that load here wait; each later call
  /// answers with the same handle, which is valid as long as the device. Where the driver can
  /// (12.4), the code is on the device when this returns; else it gets there at the first launch,
  /// behind what runs then, so launch once before it matters. Fails with kInvalidArgument (no
  /// image or name; the host, which runs no kernels), or with kDeviceFailed (no code for this
  /// device, no kernel of that name), kOutOfMemory or kExiting, after which it can be tried again.
  virtual Result<KernelHandle> load_kernel(const void* image, const char* name) = 0;
  /// Puts a kernel that this device loaded into `stream` and does not wait. `parameters` points to
  /// the kernel's arguments, one pointer for each in their order; they are copied before this
  /// returns. No dynamic shared memory. Fails with kInvalidArgument (no kernel; the host),
  /// kDeviceFailed (a grid the device cannot run, and what failed before) or kExiting. A kernel
  /// that fails later makes the calls after it fail, of fences too.
  virtual Status launch(KernelHandle kernel, const LaunchGrid& grid, void** parameters,
                        StreamHandle stream) = 0;

  /// Blocks the calling thread until all work in `stream`, and only that, is done.
  virtual Status synchronize(StreamHandle stream) = 0;

  /// Runs `work` on the calling thread, for code that calls the driver by itself (a decoder's
  /// library): with this device's context current, and with the thread's stream capture mode
  /// relaxed, so that no other thread's CUDA graph capture is spoiled. kExiting, and `work` does
  /// not run, once exit() has begun.
  virtual Status run(const std::function<void()>& work) = 0;
};

}  // namespace nv12slot
