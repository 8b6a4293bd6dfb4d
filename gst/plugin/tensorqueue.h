// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include <deque>
#include <optional>
#include <set>
#include <vector>

#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"
#include "raii.h"

namespace nv12slot::gst {

/// A picture on its way into a tensor.
struct TensorInput {
  GstPad* pad = nullptr;  ///< names the pad it came by; not a reference
  BufferPtr buffer;
  GstVideoInfo info{};  ///< of the pad's caps
  std::string pad_name;
  GstClockTime running_time = GST_CLOCK_TIME_NONE;
};

/// Pictures of all cameras on their way from their threads to the one that makes tensors. Holds one
/// picture a pad, so that a camera is no more than that ahead, and no camera fills it.
///
/// Any thread; one reader. One mutex, a leaf.
class TensorQueue {
 public:
  explicit TensorQueue(Clock& clock) : clock_(clock) {}

  void add_pad(GstPad* pad);
  /// Forgets the pad and the picture it has here; its thread is woken.
  void remove_pad(GstPad* pad);

  /// Waits while the pad's last picture is here. False, and the input is dropped, while the pad
  /// flushes, once it has ended, or if everything is stopped.
  [[nodiscard]] bool push(TensorInput input);
  /// The pad's picture is dropped, and push() fails, until it is set to false again. A pad that
  /// stops flushing has not ended any more.
  void set_flushing(GstPad* pad, bool flushing);
  /// Nothing comes from the pad any more; what is here stays.
  void end(GstPad* pad);

  struct Taken {
    std::optional<TensorInput> input;
    bool is_end = false;  ///< no pad will give a picture, and none is here
  };
  /// Waits for a picture until `deadline` (empty: as long as it takes), until all pads have ended,
  /// or until stopped. In the order in which they came.
  [[nodiscard]] Taken pop(std::optional<TimePoint> deadline);

  /// While on, nobody waits and nothing is taken; what was here is dropped.
  void set_stopped(bool stopped);

 private:
  bool has_input_of(GstPad* pad) const NV12SLOT_REQUIRES(mutex_);
  /// Takes the pad's picture out; to be dropped without the lock.
  std::optional<TensorInput> remove_input_of(GstPad* pad) NV12SLOT_REQUIRES(mutex_);

  Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<TensorInput> inputs_ NV12SLOT_GUARDED_BY(mutex_);
  std::set<GstPad*> pads_ NV12SLOT_GUARDED_BY(mutex_), flushing_ NV12SLOT_GUARDED_BY(mutex_),
      ended_ NV12SLOT_GUARDED_BY(mutex_);
  bool stopped_ NV12SLOT_GUARDED_BY(mutex_) = true;
};

}  // namespace nv12slot::gst
