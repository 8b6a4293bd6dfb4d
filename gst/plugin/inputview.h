// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/video/video.h>

#include "nv12slot/nv12_layout.h"

namespace nv12slot::gst {

/// The two planes of a buffer that somebody else made, checked to lie inside it and mapped for
/// reading: for the device where the memory is CUDA memory of `context`, else for the CPU. Borrows
/// the buffer; one thread.
class InputView {
 public:
  /// Fails with kInvalidArgument if a plane is missing, reaches past the end of the buffer or goes
  /// on in another memory, or if mapping fails; the message says which. `info` has even sides of
  /// kMaxSide at most.
  [[nodiscard]] static Result<InputView> map(GstBuffer* buffer, const GstVideoInfo& info,
                                             void* context);
  InputView(InputView&& other) noexcept;
  InputView& operator=(InputView&&) = delete;
  ~InputView();

  [[nodiscard]] const Nv12Planes& planes() const { return planes_; }
  [[nodiscard]] bool is_on_device() const { return is_on_device_; }

 private:
  InputView() = default;

  Nv12Planes planes_;
  bool is_on_device_ = false;
  bool is_mapped_ = false;
  GstMapInfo map_info_{};        // on the device
  GstVideoFrame video_frame_{};  // on the host
};

}  // namespace nv12slot::gst
