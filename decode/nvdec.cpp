// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nvdec.h"

#include <cuda.h>

#include <algorithm>
// hwcontext_cuda.h needs the types of cuda.h.
extern "C" {
#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_cuda.h>
}

namespace nv12slot::decode {

const AVCodec* find_nvdec_codec(AVCodecID codec) {
  void* state = nullptr;
  while (const AVCodec* candidate = av_codec_iterate(&state)) {
    if (candidate->id != codec || av_codec_is_decoder(candidate) == 0) continue;
    // NVIDIA's own wrappers (h264_cuvid) set no output stream and always copy.
    if ((candidate->capabilities & (AV_CODEC_CAP_HARDWARE | AV_CODEC_CAP_HYBRID)) != 0) continue;
    for (int i = 0; const AVCodecHWConfig* config = avcodec_get_hw_config(candidate, i); ++i) {
      if (config->device_type == AV_HWDEVICE_TYPE_CUDA &&
          (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) != 0) {
        return candidate;
      }
    }
  }
  return nullptr;
}

Result<BufferRefPtr> make_hw_device(Device& device, StreamHandle stream) {
  BufferRefPtr reference(av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA));
  if (reference == nullptr) {
    return Error{Errc::kNoDevice, "this FFmpeg was built without CUDA, or memory ran out"};
  }
  // By hand, as FFmpeg's own way fails once the primary context is active with other flags, and
  // would leave the stream NULL, after which no stream of ours is ordered.
  auto* context = reinterpret_cast<AVHWDeviceContext*>(reference->data);
  auto* cuda = static_cast<AVCUDADeviceContext*>(context->hwctx);
  cuda->cuda_ctx = static_cast<CUcontext>(device.context());
  cuda->stream = static_cast<CUstream>(stream);
  if (const int result = av_hwdevice_ctx_init(reference.get()); result < 0) {
    return Error{Errc::kNoDevice, "FFmpeg cannot use the CUDA device: " + error_text(result)};
  }
  return reference;
}

bool set_surfaces(AVCodecContext& context, int held) {
  AVBufferRef* made = nullptr;
  if (avcodec_get_hw_frames_parameters(&context, context.hw_device_ctx, AV_PIX_FMT_CUDA, &made) <
      0) {
    return false;
  }
  BufferRefPtr reference(made);
  auto& frames = *reinterpret_cast<AVHWFramesContext*>(reference->data);
  // NVDEC's most; what FFmpeg counts are the pictures referred to, and two.
  frames.initial_pool_size = std::min(frames.initial_pool_size - 2 + held, 32);
  // Pictures are NVDEC's surfaces: buffers of their own would never be used (as in nvdec.c).
  frames.pool = av_buffer_pool_init(
      0, +[](std::size_t) { return av_buffer_create(nullptr, 0, nullptr, nullptr, 0); });
  frames.free = [](AVHWFramesContext* freed) { av_buffer_pool_uninit(&freed->pool); };
  if (frames.pool == nullptr || av_hwframe_ctx_init(reference.get()) < 0) return false;
  av_buffer_unref(&context.hw_frames_ctx);
  context.hw_frames_ctx = reference.release();
  return true;
}

}  // namespace nv12slot::decode
