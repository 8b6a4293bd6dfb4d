// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <vector>

#include "decoder.h"
#include "slothold.h"
#include "to_nv12.h"

namespace nv12slot::gst {

/// Writes decoded frames into slots, whichever side each is on. One thread.
class FrameWriter {
 public:
  /// `device`: where surfaces and device slots are; nullptr: host only.
  explicit FrameWriter(Device* device) : device_(device) {}
  ~FrameWriter();
  FrameWriter(const FrameWriter&) = delete;
  FrameWriter& operator=(const FrameWriter&) = delete;

  /// As SlotFiller::Write. `frame` is of `decoder`, and at least as large as the slot's layout; a
  /// surface of NVDEC's goes to the FrameReaper, and `frame` is empty then.
  [[nodiscard]] Result<bool> write(decode::FramePtr& frame, const decode::Decoder& decoder,
                                   const SlotHold& hold, StreamHandle stream);

 private:
  [[nodiscard]] Result<Fence> copy_surface(const AVFrame& frame, StreamHandle decoder_stream,
                                           const SlotHold& hold, StreamHandle stream);
  [[nodiscard]] Status download(const AVFrame& frame, StreamHandle decoder_stream,
                                const SlotHold& hold);
  [[nodiscard]] Status upload(const AVFrame& frame, const SlotHold& hold, StreamHandle stream);

  [[nodiscard]] Status ensure_scratch(const Nv12Layout& layout, StreamHandle stream);
  void free_scratch();

  Device* const device_;
  decode::ToNv12 to_nv12_;
  std::vector<std::uint8_t> staging_;  // of upload()
  // Device memory of download(), for pictures of more than 8 bits.
  std::uintptr_t scratch_ = 0;
  std::size_t scratch_size_ = 0;
  StreamHandle scratch_stream_ = nullptr;
};

}  // namespace nv12slot::gst
