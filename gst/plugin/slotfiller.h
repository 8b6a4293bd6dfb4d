// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <functional>
#include <memory>
#include <optional>

#include "nv12slot/process.h"
#include "raii.h"
#include "slothold.h"

namespace nv12slot::gst {

/// What became of a picture that was to be put into a slot.
struct Outcome {
  enum class Kind {
    kFrame,      ///< `buffer` is to be pushed
    kExhausted,  ///< no slot
    kBadInput,   ///< the input is no picture of the negotiated caps
    kFailed,     ///< the device failed
    kFlushing,
    kForeign,  ///< CUDA memory of another context
  };
  Kind kind = Kind::kFrame;
  BufferPtr buffer = {};
  Domain domain = kHostDomain;  ///< where the frame is
  /// After this the input is not read any more; empty: it is not any more now.
  std::optional<Fence> input_read = {};
  Error error = {};  ///< unless kFrame
  Duration acquire{0}, copy{0};
};

[[nodiscard]] inline Outcome not_a_frame(Outcome::Kind kind, Error error) {
  return {.kind = kind, .error = std::move(error)};
}

/// What an element without a slot for a frame is to make of the error.
[[nodiscard]] Outcome no_slot(Error error);

/// A stream of the device's for work that belongs to no slot; one thread.
class TakenStream {
 public:
  explicit TakenStream(Device& device) : device_(device), stream_(device.take_stream()) {}
  ~TakenStream() {
    if (stream_) device_.give_stream(*stream_);
  }
  TakenStream(const TakenStream&) = delete;
  TakenStream& operator=(const TakenStream&) = delete;
  [[nodiscard]] const Result<StreamHandle>& get() const { return stream_; }

 private:
  Device& device_;
  Result<StreamHandle> stream_;
};

/// Makes frames: takes a slot, has it filled, hands it to the registry and wraps it into a buffer.
/// One thread at a time (the streaming thread); the pool, the registry and the context outlive it.
class SlotFiller {
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
  /// Writes the picture into the slot, in `stream` (the slot's; nullptr on the host). The answer
  /// says whether the rest happens in `stream`; if not, it is complete.
  using Write = std::function<Result<bool>(const SlotHold& hold, StreamHandle stream)>;

  explicit SlotFiller(Run run) : run_(std::move(run)) {}

  [[nodiscard]] const Run& run() const { return run_; }
  void set_format(const Format& format) { format_ = format; }
  [[nodiscard]] const Format& format() const { return format_; }
  /// Whether every consumer waits for and fences frames of the format's domain by itself. Frames of
  /// another domain are complete when they leave, and cool.
  void set_readers_fence(bool fence) { readers_fence_ = fence; }
  [[nodiscard]] bool readers_fence(Domain domain) const {
    return readers_fence_ && domain == format_.domain;
  }

  /// A buffer of one slot in `domain`, with the frame's meta and no other metadata. `in_flight` is
  /// the source's guard. Blocks for a slot where `exhaustion` says so, as long as `write` does, and
  /// for the slot's stream unless readers wait by themselves. Where the
  /// write failed with kDeviceFailed, the slot is quarantined.
  [[nodiscard]] Outcome fill(InFlight in_flight, GstClockTime pts, Domain domain,
                             const Exhaustion& exhaustion, const Write& write);

 private:
  const Run run_;
  Format format_;
  bool readers_fence_ = false;
};

}  // namespace nv12slot::gst
