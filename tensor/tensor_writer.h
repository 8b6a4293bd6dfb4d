// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "colour.h"
#include "nv12slot/device.h"
#include "nv12slot/nv12_layout.h"
#include "nv12slot/result.h"
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
///   Status written = writer->write(frame.planes(), 1920, 1080, colour, tensor.planes().y,
///                                  tensor.stream());
class TensorWriter {
 public:
  /// For `device`, which must outlive the writer. The first writer of a device loads the kernel and
  /// launches it once, so that nothing is loaded lazily behind running kernels later, and waits for
  /// that; the others load, launch and allocate nothing there. Fails as spec.validate() does, and
  /// with kDeviceFailed (such as a driver that cannot load the kernel), kNoDevice (a build without
  /// CUDA) or kOutOfMemory.
  [[nodiscard]] static Result<TensorWriter> open(Device& device, const TensorSpec& spec);

  /// One picture into the tensor of spec().frame_bytes() at `tensor`, aligned to an element. Both
  /// must be readable in the writer's device: that device's own memory, or, for the picture, a
  /// peer's after Device::read_from(). Nothing outside the picture is read, row padding least of
  /// all, and all of the tensor is written. On a device this puts one kernel into `stream` and does
  /// not wait; on the host it is done on return. Fails with kInvalidArgument (a size that
  /// nv12_layout() refuses, a pitch shorter than a row, UV rows of a device at odd addresses,
  /// nothing at `tensor`), kOutOfMemory (on the host), and as Device::launch() does.
  [[nodiscard]] Status write(const Nv12Planes& picture, std::uint32_t width, std::uint32_t height,
                             const Colour& colour, std::uintptr_t tensor,
                             StreamHandle stream) const;

  [[nodiscard]] const TensorSpec& spec() const { return spec_; }

 private:
  TensorWriter(Device& device, const TensorSpec& spec) : device_(&device), spec_(spec) {}
  [[nodiscard]] Status load();
  [[nodiscard]] Status warm_up() const;

  Device* device_;
  TensorSpec spec_;
  KernelHandle kernel_ = nullptr;  // nullptr: the host
};

}  // namespace nv12slot
