// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/nv12slot/nv12tensormeta.h>
#include <gst/video/video.h>

#include <memory>
#include <vector>

#include "nv12slot/process.h"
#include "raii.h"
#include "slothold.h"
#include "tensor_writer.h"
#include "tensorqueue.h"

namespace nv12slot::gst {

/// How a picture comes to where its tensor is made.
enum class TensorPath {
  kNone,
  kZeroCopy,  ///< it is read in place
  kPeer,      ///< it is read in place, on another device
  kHost,      ///< it is copied from or to the host first
};
[[nodiscard]] const char* to_string(TensorPath path);

/// Makes tensors of pictures: takes a slot, has each picture written into its place of the batch,
/// hands the slot to the registry and wraps it into a buffer. One thread at a time (the task of the
/// element's source pad); the pool, the registry and the context outlive it.
class TensorMaker {
 public:
  /// Of one run of the element.
  struct Run {
    Device* device = nullptr;      ///< where tensors are made; nullptr: on the host
    GstObject* context = nullptr;  ///< the device's GstCudaContext, borrowed
    std::shared_ptr<Source> source;
    const Canceller* canceller = nullptr;
    guint batch_size = 1;
  };

  /// Errors: as of TensorWriter::open(), and kInvalidArgument where the batch is larger than a slot
  /// can be.
  [[nodiscard]] static Result<std::unique_ptr<TensorMaker>> open(Run run, const TensorSpec& spec);
  ~TensorMaker();

  /// Takes the slot of the next batch, for which it waits no longer than `timeout`. Errors: as of
  /// SlotPool::acquire, kSourceClosed.
  [[nodiscard]] Status begin(Duration timeout);
  /// Gives the picture the next place of the batch, and brings it to where it can be read, which is
  /// waited for where it is copied to the host first. The batch goes on without a picture that is
  /// none of its caps (kInvalidArgument), or that no slot was there to bring it to (as of
  /// no_slot()); after any other error it is given up.
  [[nodiscard]] Result<TensorPath> add(const TensorInput& input);
  /// Has the pictures written that were added since the last time, on a device with one kernel that
  /// is not waited for, and lets go of them. For when nothing else can be added at once: sixteen in
  /// one kernel take a third of the time of sixteen kernels. After an error the batch is given up.
  [[nodiscard]] Status write();
  [[nodiscard]] bool is_begun() const { return hold_ != nullptr; }
  [[nodiscard]] guint size() const { return static_cast<guint>(items_.size()); }
  [[nodiscard]] bool is_full() const { return size() == run_.batch_size; }

  /// The buffer of the batch, with a GstNv12TensorMeta and no times, in memory of the device or of
  /// the host; what is left is written. Waits for the pictures, unless `readers_fence` says that
  /// every reader does that.
  [[nodiscard]] Result<BufferPtr> finish(bool on_device, bool readers_fence, GstClockTime pts);
  /// Forgets the batch.
  void give_up();

  /// Bytes of a whole batch.
  [[nodiscard]] std::size_t batch_bytes() const { return batch_bytes_; }

 private:
  struct Picture;

  TensorMaker(Run run, Device& device, const TensorWriter& writer, std::size_t batch_bytes);

  [[nodiscard]] Result<std::unique_ptr<SlotHold>> take_slot(Domain domain, Duration timeout);
  [[nodiscard]] Result<TensorPath> try_to_add(const TensorInput& input);
  [[nodiscard]] Result<Picture> find(const TensorInput& input);
  /// A slot for a copy of the picture, which is read by this object alone: it needs no cooldown.
  [[nodiscard]] Result<Lease> take_copy(const Picture& picture, Domain domain);
  /// Copies a picture of a device to the host, and waits for it.
  [[nodiscard]] Status bring_to_host(Picture& picture);
  /// Has a picture of the host copied to the device tensors are made on.
  [[nodiscard]] Status bring_to_device(Picture& picture);
  /// So that the writer can read the picture.
  [[nodiscard]] Result<TensorPath> bring(Picture& picture);
  /// Tells the picture's owner when the last kernel has read it.
  [[nodiscard]] Status fence(Picture& picture);
  [[nodiscard]] Result<std::unique_ptr<SlotHold>> copy_to_host();
  void describe(const TensorInput& input, const Picture& picture);

  const Run run_;
  Device& device_;  // where tensors are made
  const TensorWriter writer_;
  const TensorSpec spec_;
  const std::size_t batch_bytes_;

  // Of the batch that is made; the hold is empty between two.
  std::unique_ptr<SlotHold> hold_;
  StreamHandle stream_ = nullptr;
  std::vector<GstNv12TensorItem> items_;
  std::vector<Picture> unwritten_;              // the last of them
  std::vector<BufferPtr> read_until_finished_;  // pictures that nothing else keeps
  Duration timeout_{0};
};

}  // namespace nv12slot::gst
