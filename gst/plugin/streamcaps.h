// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "stream_decoder.h"

// What upstream's caps say of the stream that comes.
namespace nv12slot::gst {

/// AV_CODEC_ID_NONE for caps that nv12slotdec does not take.
[[nodiscard]] AVCodecID codec_of(const GstStructure* structure);

/// Codec, format and headers; the rest is the caller's to say. `codec_data` may be nullptr.
[[nodiscard]] decode::StreamDecoder::Stream stream_in(const GstCaps* caps, GstBuffer* codec_data);

}  // namespace nv12slot::gst
