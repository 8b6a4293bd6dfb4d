// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>

#include "nv12slot/device.h"
#include "nv12slot/result.h"
#include "tensor_job.h"
#include "tensor_spec.h"

namespace nv12slot {

/// Makes tensors of NV12 pictures, as TensorSpec says: scaled, placed, converted to RGB and
/// normalised in one go, with nothing in between that would have to be kept. One device, one spec;
/// pictures of any size. Copies are cheap. Any thread, several at once too.
///
/// Scaling is bilinear with half-pixel centres and without antialiasing, as OpenCV's INTER_LINEAR,
/// in Y, U and V before they become RGB: where nothing saturates that is the same. Chroma is
/// bilinear between its own samples, from where they lie; beyond the outermost samples their values
/// go on. On a device and on the host the arithmetic is the same (nv12_to_tensor.h).
///
///   Result<TensorWriter> writer = TensorWriter::open(device, spec);
///   Status written = writer->write({.planes = frame.planes(), .width = 1920, .height = 1080,
///                                   .colour = colour, .tensor = tensor.planes().y},
///                                  tensor.stream());
class TensorWriter {
 public:
  /// For `device`, which must outlive the writer. The first writer of a device loads the kernels
  /// and launches each once, so that nothing is loaded lazily behind running kernels later, and
  /// waits for that; the others load, launch and allocate nothing there. Fails as spec.validate()
  /// does, and with kDeviceFailed (such as a driver that cannot load a kernel), kNoDevice (a build
  /// without CUDA) or kOutOfMemory.
  [[nodiscard]] static Result<TensorWriter> open(Device& device, const TensorSpec& spec);

  /// Pictures of any sizes, each into its tensor. They must be readable in the writer's device:
  /// that device's own memory, or, for a picture, a peer's after Device::read_from(). Nothing
  /// outside a picture is read, row padding least of all, and all of a tensor is written. On a
  /// device this puts one kernel for up to 16 pictures into `stream` and does not wait; on the host
  /// it is done on return. Fails as check() does, before anything is written, with kOutOfMemory (on
  /// the host), and as Device::launch() does.
  [[nodiscard]] Status write(std::span<const TensorPicture> pictures, StreamHandle stream) const;
  [[nodiscard]] Status write(const TensorPicture& picture, StreamHandle stream) const {
    return write({&picture, 1}, stream);
  }

  /// kInvalidArgument: a size that nv12_layout() refuses, a pitch shorter than a row, UV rows of a
  /// device at odd addresses, no tensor or one that is not aligned to its values.
  [[nodiscard]] Status check(const TensorPicture& picture) const;

  [[nodiscard]] const TensorSpec& spec() const { return spec_; }

 private:
  TensorWriter(Device& device, const TensorSpec& spec) : device_(&device), spec_(spec) {}
  [[nodiscard]] Status load();
  [[nodiscard]] Status warm_up() const;
  [[nodiscard]] Status write_some(std::span<const TensorPicture> pictures,
                                  StreamHandle stream) const;

  Device* device_;
  TensorSpec spec_;
  // nullptr: the host.
  KernelHandle of_one_ = nullptr;
  KernelHandle of_many_ = nullptr;
};

}  // namespace nv12slot
