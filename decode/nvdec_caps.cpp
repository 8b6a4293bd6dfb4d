// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Apart from nvdec.cpp, as NVIDIA's dynlink_cuda.h and cuda.h define the same types.
#include <ffnvcodec/dynlink_loader.h>
#include <fmt/format.h>

#include <map>
#include <tuple>

#include "nv12slot/mutex.h"
#include "nvdec.h"

namespace nv12slot::decode {
namespace {

/// nullptr without libnvcuvid.so.1. Never freed: FFmpeg uses the library for as long as we do.
const CuvidFunctions* cuvid() {
  static const CuvidFunctions* const functions = [] {
    CuvidFunctions* loaded = nullptr;
    return cuvid_load_functions(&loaded, nullptr) == 0 ? loaded : nullptr;
  }();
  return functions;
}

int cuda_codec(AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_H264:
      return cudaVideoCodec_H264;
    case AV_CODEC_ID_HEVC:
      return cudaVideoCodec_HEVC;
    case AV_CODEC_ID_VP8:
      return cudaVideoCodec_VP8;
    case AV_CODEC_ID_VP9:
      return cudaVideoCodec_VP9;
    case AV_CODEC_ID_AV1:
      return cudaVideoCodec_AV1;
    case AV_CODEC_ID_MPEG2VIDEO:
      return cudaVideoCodec_MPEG2;
    case AV_CODEC_ID_MPEG4:
      return cudaVideoCodec_MPEG4;
    case AV_CODEC_ID_MJPEG:
      return cudaVideoCodec_JPEG;
    default:
      return -1;
  }
}

/// What the driver says, asked once for each device, codec, chroma format and depth. Failures are
/// not kept: it is asked again next time.
Result<CUVIDDECODECAPS> ask(Device& device, int codec, int chroma, int depth) {
  static auto& mutex = *new Mutex;
  static auto& answers = *new std::map<std::tuple<Domain, int, int, int>, CUVIDDECODECAPS>;
  const auto key = std::make_tuple(device.domain(), codec, chroma, depth);
  {
    MutexLock lock(mutex);
    if (const auto found = answers.find(key); found != answers.end()) return found->second;
  }
  CUVIDDECODECAPS caps = {};
  caps.eCodecType = static_cast<cudaVideoCodec>(codec);
  caps.eChromaFormat = static_cast<cudaVideoChromaFormat>(chroma);
  caps.nBitDepthMinus8 = static_cast<unsigned>(depth - 8);
  CUresult result = CUDA_SUCCESS;
  const Status ran = device.run([&] { result = cuvid()->cuvidGetDecoderCaps(&caps); });
  if (!ran) return ran.error();
  if (result != CUDA_SUCCESS) {
    return Error{Errc::kDeviceFailed,
                 fmt::format("the driver does not say what the NVDEC of device {} decodes: "
                             "cuvidGetDecoderCaps failed with CUDA error {}",
                             device.domain(), static_cast<int>(result))};
  }
  MutexLock lock(mutex);
  answers[key] = caps;
  return caps;
}

}  // namespace

std::string why_no_nvdec(Device& device, const NvdecFormat& format) {
  const char* const name = avcodec_get_name(format.codec);
  if (find_nvdec_codec(format.codec) == nullptr) {
    return fmt::format("this FFmpeg has no NVDEC decoder for {}", name);
  }
  if (cuvid() == nullptr || cuvid()->cuvidGetDecoderCaps == nullptr) {
    return "the NVIDIA driver has no video decoder (libnvcuvid.so.1 is missing or too old)";
  }
  const AVPixFmtDescriptor* pixels = av_pix_fmt_desc_get(format.pixels);
  const int codec = cuda_codec(format.codec);
  if (pixels == nullptr || codec < 0) return fmt::format("{} is no codec of NVDEC", name);
  const int depth = pixels->comp[0].depth;
  if (pixels->nb_components > 1 && (pixels->log2_chroma_w != 1 || pixels->log2_chroma_h != 1)) {
    return fmt::format("{} pictures have no 4:2:0 chroma, which slots do", pixels->name);
  }
  const int chroma =
      pixels->nb_components == 1 ? cudaVideoChromaFormat_Monochrome : cudaVideoChromaFormat_420;
  const Result<CUVIDDECODECAPS> asked = ask(device, codec, chroma, depth);
  if (!asked) return asked.error().message;
  const CUVIDDECODECAPS& caps = asked.value();
  if (caps.bIsSupported == 0) {
    return fmt::format("the NVDEC of device {} does not decode {} of {} bits ({})", device.domain(),
                       name, depth, pixels->name);
  }
  const auto width = static_cast<unsigned>(format.width);
  const auto height = static_cast<unsigned>(format.height);
  if (width == 0 || height == 0) return {};
  if (width < caps.nMinWidth || height < caps.nMinHeight || width > caps.nMaxWidth ||
      height > caps.nMaxHeight || width * height / 256 > caps.nMaxMBCount) {
    return fmt::format(
        "the NVDEC of device {} takes {} pictures of {} x {} to {} x {}, and {} macroblocks at "
        "most, not {} x {}",
        device.domain(), name, caps.nMinWidth, caps.nMinHeight, caps.nMaxWidth, caps.nMaxHeight,
        caps.nMaxMBCount, width, height);
  }
  return {};
}

}  // namespace nv12slot::decode
