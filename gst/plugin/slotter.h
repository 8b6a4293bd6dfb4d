// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <deque>
#include <memory>

#include "inputview.h"
#include "nv12slot/process.h"
#include "raii.h"
#include "slothold.h"

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
struct Outcome {
  enum class Kind {
    kFrame,      ///< `buffer` is to be pushed
    kExhausted,  ///< no slot
    kBadInput,   ///< the buffer is no picture of the negotiated caps
    kFailed,     ///< the device failed
    kFlushing,
    kForeign,  ///< CUDA memory of another context
  };
  Kind kind = Kind::kFrame;
  BufferPtr buffer = {};
  Domain domain = kHostDomain;  ///< where the frame is
  Path path = Path::kNone;
  Error error = {};  ///< unless kFrame
  Duration acquire{0}, copy{0};
};

/// Puts input buffers into slots: what nv12slotcopy does between its pads. One thread at a time
/// (the streaming thread); the pool, the registry and the context outlive it.
class Slotter {
 public:
  /// Of one run of the element.
  struct Run {
    Device* device = nullptr;      ///< nullptr: host only
    GstObject* context = nullptr;  ///< the device's GstCudaContext, borrowed
    std::shared_ptr<Source> source;
    const Canceller* canceller = nullptr;
  };
  /// Of one negotiation.
  struct Format {
    GstVideoInfo info{};
    Domain domain = kHostDomain;  ///< where slots are to be made
  };
  /// Of one frame.
  struct Exhaustion {
    OnExhausted policy = OnExhausted::kDrop;  ///< kHost only where downstream takes host frames
    Duration timeout{0};
  };

  explicit Slotter(Run run) : run_(std::move(run)) {}
  /// Waits for the copies that are under way.
  ~Slotter();
  Slotter(const Slotter&) = delete;
  Slotter& operator=(const Slotter&) = delete;

  void set_format(const Format& format) { format_ = format; }
  [[nodiscard]] const Format& format() const { return format_; }
  /// Whether every consumer waits for and fences frames of the format's domain by itself. Frames of
  /// another domain are complete when they leave, and cool.
  void set_readers_fence(bool fence) { readers_fence_ = fence; }

  /// Blocks for the copy, unless readers wait by themselves, and for a slot where `exhaustion` says
  /// so. Never fails for good: after any outcome the next buffer may be given.
  [[nodiscard]] Outcome process(BufferPtr input, const Exhaustion& exhaustion);

  /// Lets go of the input buffers whose copies are complete; with `wait`, of all.
  void release_inputs(bool wait);

 private:
  struct PendingInput {
    Fence done;
    BufferPtr buffer;
  };

  [[nodiscard]] bool readers_fence(Domain domain) const {
    return readers_fence_ && domain == format_.domain;
  }
  [[nodiscard]] Outcome take_over(BufferPtr input, SlotHold& hold, InFlight in_flight);
  [[nodiscard]] Outcome copy(BufferPtr input, InFlight in_flight, const Exhaustion& exhaustion);
  [[nodiscard]] Status fill(const SlotHold& hold, StreamHandle slot_stream, GstBuffer* input,
                            const InputView& view);
  [[nodiscard]] Result<std::unique_ptr<Fence>> finish_direct(GstMemory* memory,
                                                             const SlotHold& hold);

  const Run run_;
  Format format_;
  bool readers_fence_ = false;
  std::deque<PendingInput> pending_;  // oldest first
};

}  // namespace nv12slot::gst
