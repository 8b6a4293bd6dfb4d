// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A build without CUDA.
#include "nvdec.h"

namespace nv12slot::decode {

std::string why_no_nvdec(Device&, const NvdecFormat&) {
  return "this build has no CUDA";
}

const AVCodec* find_nvdec_codec(AVCodecID) {
  return nullptr;
}

Result<BufferRefPtr> make_hw_device(Device&, StreamHandle) {
  return Error{Errc::kNoDevice, "this build has no CUDA"};
}

bool set_surfaces(AVCodecContext&, int) {
  return false;
}

}  // namespace nv12slot::decode
