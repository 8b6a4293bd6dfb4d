// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "ffmpeg.h"
#include "nv12slot/device.h"

// What FFmpeg's NVDEC needs of a CUDA device. In a build without CUDA there is none.
namespace nv12slot::decode {

/// A picture format as NVDEC is asked for it.
struct NvdecFormat {
  AVCodecID codec = AV_CODEC_ID_NONE;
  AVPixelFormat pixels = AV_PIX_FMT_YUV420P;  ///< what software would decode the stream to
  int width = 0, height = 0;                  ///< coded size in pixels; 0: any
};

/// Why the NVDEC of `device` does not decode such a stream, for a person; empty where it does. Asks
/// the driver (cuvidGetDecoderCaps); the last word is FFmpeg's when it opens the decoder.
[[nodiscard]] std::string why_no_nvdec(Device& device, const NvdecFormat& format);

/// FFmpeg's decoder for `codec` that can use NVDEC; nullptr where this FFmpeg has none.
[[nodiscard]] const AVCodec* find_nvdec_codec(AVCodecID codec);

/// An AVHWDeviceContext in `device`'s primary context whose pictures are written in `stream`. Calls
/// the driver: use it within Device::run().
[[nodiscard]] Result<BufferRefPtr> make_hw_device(Device& device, StreamHandle stream);

/// For FFmpeg's get_format: opens the way for a decoder of exactly the surfaces that the stream
/// refers to and `held` more. FFmpeg alone would take three more than that, twice, as each decoding
/// surface has an output surface: 8 MB each for 1080p. False where FFmpeg refuses; its own way is
/// left then.
[[nodiscard]] bool set_surfaces(AVCodecContext& context, int held);

}  // namespace nv12slot::decode
