// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>

#include "nv12slot/device.h"
#include "nv12slot/fence.h"
#include "nv12slot/result.h"

namespace nv12slot {

class FrameRegistry;
class Source;
struct FrameRecord;

/// Names a frame for as long as the process runs: a place in the registry's table and how often
/// that place was used. 0 names none; an id is never used again.
using FrameId = std::uint64_t;

/// No presentation time.
inline constexpr std::uint64_t kNoPts = ~std::uint64_t{0};

/// What a picture's numbers mean in colour. Each but `range` is a code point of ITU-T H.273; 0 in
/// any is not known.
struct FrameColour {
  int range = 0;  ///< 1: full (0 to 255), 2: limited (16 to 235)
  int matrix = 0, transfer = 0, primaries = 0;
};

/// One owned, counted reference to a frame: the picture stays readable while it lives, whatever
/// becomes of the camera. Copying takes another reference. Different references to one frame may
/// be used by different threads; one reference by one thread at a time.
class FrameRef {
 public:
  FrameRef() = default;
  FrameRef(const FrameRef& other);
  FrameRef(FrameRef&& other) noexcept;
  FrameRef& operator=(FrameRef other) noexcept;
  ~FrameRef();

  explicit operator bool() const { return record_ != nullptr; }

  // All of the following need a reference that is not empty.
  [[nodiscard]] FrameId id() const;
  [[nodiscard]] Domain domain() const;
  [[nodiscard]] Device& device() const;
  [[nodiscard]] const Nv12Layout& layout() const;
  [[nodiscard]] Nv12Planes planes() const;
  [[nodiscard]] std::uint64_t pts() const;  ///< nanoseconds, or kNoPts
  [[nodiscard]] const std::string& source_name() const;
  [[nodiscard]] const FrameColour& colour() const;
  /// True where the picture was complete when the frame was attached; else readers call wait().
  [[nodiscard]] bool is_complete_at_attach() const;

  /// Orders a reader's `stream` (a CUstream; nullptr is CUDA's default stream) after the copy that
  /// filled the slot. No-op where the picture was complete already. Does not block.
  [[nodiscard]] Status wait(StreamHandle stream) const;

  /// This reader's use of the picture ends with what is in `stream` now: the slot is not used
  /// again before that is done. Call after the last kernel or copy that reads, before the
  /// reference is dropped. `stream_device` is the device `stream` belongs to; nullptr: the frame's
  /// own. Does not block. Fails with kInvalidArgument for a stream without a device on a frame of
  /// the host, with kDeviceFailed, or with kExiting; the slot then cools as if there were no fence.
  [[nodiscard]] Status fence(StreamHandle stream, Device* stream_device = nullptr) const;

  /// From now on every reader of this frame is known to fence(), so that the slot needs no
  /// cooldown.
  void set_all_readers_fence() const;
  /// A reader could not fence, or will not: the slot needs its cooldown after all.
  void set_reader_without_fence() const;

  void reset() { *this = FrameRef(); }

 private:
  friend class FrameRegistry;
  explicit FrameRef(FrameRecord* record) : record_(record) {}  // takes over one count

  FrameRecord* record_ = nullptr;
};

}  // namespace nv12slot
