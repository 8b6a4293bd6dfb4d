// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <deque>
#include <memory>

#include "inputview.h"
#include "raii.h"
#include "slotfiller.h"

namespace nv12slot::gst {

/// How a frame came into its slot.
enum class Path {
  kNone,
  kDirect,  ///< upstream wrote it there
  kCopy,
  kPassThrough,  ///< it was a slot frame already
};
[[nodiscard]] const char* to_string(Path path);

/// What happened to one input buffer.
struct Slotted {
  Outcome outcome;
  Path path = Path::kNone;
};

/// Puts input buffers into slots: what nv12slotcopy does between its pads. One thread at a time
/// (the streaming thread); the pool, the registry and the context outlive it.
class Slotter {
 public:
  explicit Slotter(SlotFiller::Run run) : filler_(std::move(run)) {}
  /// Waits for the copies that are under way.
  ~Slotter();
  Slotter(const Slotter&) = delete;
  Slotter& operator=(const Slotter&) = delete;

  /// To be told the format, and what readers promise.
  [[nodiscard]] SlotFiller& filler() { return filler_; }

  /// Blocks for the copy, unless readers wait by themselves, and for a slot where `exhaustion` says
  /// so. Never fails for good: after any outcome the next buffer may be given.
  [[nodiscard]] Slotted process(BufferPtr input, const SlotFiller::Exhaustion& exhaustion);

  /// Lets go of the input buffers whose copies are complete; with `wait`, of all.
  void release_inputs(bool wait);

 private:
  struct PendingInput {
    Fence done;
    BufferPtr buffer;
  };

  [[nodiscard]] Slotted take_over(BufferPtr input, SlotHold& hold, InFlight in_flight);
  [[nodiscard]] Outcome copy(BufferPtr input, InFlight in_flight,
                             const SlotFiller::Exhaustion& exhaustion);
  [[nodiscard]] Result<bool> write(const SlotHold& hold, StreamHandle slot_stream, GstBuffer* input,
                                   const InputView& view);
  [[nodiscard]] Result<std::unique_ptr<Fence>> finish_direct(GstMemory* memory,
                                                             const SlotHold& hold);

  SlotFiller filler_;
  std::deque<PendingInput> pending_;  // oldest first
};

}  // namespace nv12slot::gst
