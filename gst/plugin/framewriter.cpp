// SPDX-License-Identifier: LGPL-2.1-or-later
#include "framewriter.h"

extern "C" {
#include <libavutil/hwcontext.h>
}

#include "frame_reaper.h"

namespace nv12slot::gst {
namespace {

bool is_16_bit(const AVFrame& surface) {
  const auto* frames = reinterpret_cast<const AVHWFramesContext*>(surface.hw_frames_ctx->data);
  return frames->sw_format != AV_PIX_FMT_NV12;
}

/// A surface's planes from the cropping rectangle's corner on: FFmpeg leaves that to us.
Nv12Planes planes_of(const AVFrame& surface) {
  const std::size_t sample = is_16_bit(surface) ? 2 : 1;
  // Odd offsets do not exist in 4:2:0 but in damaged streams.
  const std::size_t left = surface.crop_left & ~std::size_t{1};
  const std::size_t top = surface.crop_top & ~std::size_t{1};
  const auto y_pitch = static_cast<std::size_t>(surface.linesize[0]);
  const auto uv_pitch = static_cast<std::size_t>(surface.linesize[1]);
  return {reinterpret_cast<std::uintptr_t>(surface.data[0]) + top * y_pitch + left * sample,
          reinterpret_cast<std::uintptr_t>(surface.data[1]) + top / 2 * uv_pitch + left * sample,
          y_pitch, uv_pitch};
}

Status put(Device& device, const AVFrame& surface, const Nv12Planes& to, const Nv12Layout& layout,
           StreamHandle stream) {
  const Nv12Planes from = planes_of(surface);
  return is_16_bit(surface) ? device.convert_p010(to, from, layout.width, layout.height, stream)
                            : device.copy(to, device.domain(), from, device.domain(), layout.width,
                                          layout.height, stream);
}

}  // namespace

Result<bool> FrameWriter::write(decode::FramePtr& frame, const decode::Decoder& decoder,
                                const SlotHold& hold, StreamHandle stream) {
  const Nv12Layout& layout = hold.layout();
  const bool to_host = hold.device().domain() == kHostDomain;
  if (frame->format != AV_PIX_FMT_CUDA) {
    const Status status = to_host
                              ? to_nv12_.write(*frame, hold.planes(), layout.width, layout.height)
                              : upload(*frame, hold, stream);
    if (!status) return status.error();
    return false;
  }
  decode::FrameReaper& reaper = decode::FrameReaper::of(*device_);
  if (to_host) {
    const Status status = download(*frame, decoder.stream(), hold);
    reaper.give(decoder.backlog(), std::move(frame), {});
    if (!status) return status.error();
    return false;
  }
  Result<Fence> read = copy_surface(*frame, decoder.stream(), hold, stream);
  if (!read) {
    // Whatever is in the stream may still read the surface; whether this fails too is no matter.
    static_cast<void>(device_->synchronize(stream));
    reaper.give(decoder.backlog(), std::move(frame), {});
    return read.error();
  }
  reaper.give(decoder.backlog(), std::move(frame), std::move(read).value());
  return true;
}

Result<Fence> FrameWriter::copy_surface(const AVFrame& frame, StreamHandle decoder_stream,
                                        const SlotHold& hold, StreamHandle stream) {
  Result<Fence> read = Error{Errc::kExiting, "exit() has begun"};
  // In one scope of the device's, as each call would enter its context otherwise.
  const Status ran = device_->run([&] {
    // NVDEC's post-processing writes the surface in the decoder's stream.
    const Result<Fence> written = Fence::record(*device_, decoder_stream);
    Status status = written ? written->make_wait(stream) : Status(written.error());
    if (status) status = put(*device_, frame, hold.planes(), hold.layout(), stream);
    read = status ? Fence::record(*device_, stream) : Result<Fence>(status.error());
  });
  if (!ran) return ran.error();
  return read;
}

Status FrameWriter::download(const AVFrame& frame, StreamHandle decoder_stream,
                             const SlotHold& hold) {
  const Nv12Layout& layout = hold.layout();
  if (!is_16_bit(frame)) {
    const Status status =
        device_->copy(hold.planes(), kHostDomain, planes_of(frame), device_->domain(), layout.width,
                      layout.height, decoder_stream);
    const Status done = device_->synchronize(decoder_stream);
    return status ? done : status;
  }
  // The kernel that makes 8 bits of it writes to the device only.
  Status status = ensure_scratch(layout, decoder_stream);
  if (!status) return status;
  const Nv12Planes scratch{scratch_, scratch_ + layout.uv_offset(), layout.pitch, layout.pitch};
  status = put(*device_, frame, scratch, layout, decoder_stream);
  if (status) {
    status = device_->copy(hold.planes(), kHostDomain, scratch, device_->domain(), layout.width,
                           layout.height, decoder_stream);
  }
  const Status done = device_->synchronize(decoder_stream);
  return status ? done : status;
}

// Not a slot: the pool may be full, and that is when frames go to the host.
Status FrameWriter::ensure_scratch(const Nv12Layout& layout, StreamHandle stream) {
  if (scratch_size_ >= layout.size()) return {};
  free_scratch();
  const Result<std::uintptr_t> memory = device_->allocate(layout.size(), stream);
  if (!memory) return memory.error();
  scratch_ = memory.value();
  scratch_size_ = layout.size();
  scratch_stream_ = stream;
  return {};
}

void FrameWriter::free_scratch() {
  // Streams live for ever, those of decoders that are gone too.
  if (scratch_size_ > 0) static_cast<void>(device_->free(scratch_, scratch_stream_));
  scratch_size_ = 0;
}

FrameWriter::~FrameWriter() {
  free_scratch();
}

Status FrameWriter::upload(const AVFrame& frame, const SlotHold& hold, StreamHandle stream) {
  const Nv12Layout& layout = hold.layout();
  staging_.resize(layout.size());
  const auto base = reinterpret_cast<std::uintptr_t>(staging_.data());
  const Nv12Planes host{base, base + layout.uv_offset(), layout.pitch, layout.pitch};
  Status status = to_nv12_.write(frame, host, layout.width, layout.height);
  if (!status) return status;
  status = hold.device().copy(hold.planes(), hold.device().domain(), host, kHostDomain,
                              layout.width, layout.height, stream);
  const Status done = hold.device().synchronize(stream);
  return status ? done : status;
}

}  // namespace nv12slot::gst
