// SPDX-License-Identifier: LGPL-2.1-or-later
//
// libnvcuvid.so.1: a decoder of synthetic pictures. It takes what FFmpeg and GStreamer parsed,
// looks at no bitstream, and gives out the pictures that standin.h describes. Decoding happens on a
// stream of the decoder's own; mapping a picture enqueues the post-processing on the caller's
// stream, which writes one of the decoder's output surfaces.

#include <ffnvcodec/dynlink_cuda.h>
// dynlink_nvcuvid.h needs the types of dynlink_cuda.h.
#include <ffnvcodec/dynlink_nvcuvid.h>

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "calls.h"
#include "driver.h"

using namespace nv12slot::standin;

namespace {

struct OutputSurface {
  uintptr_t base = 0;
  bool mapped = false;
};

struct DecodeSurface {
  bool decoded = false;
  uint32_t picture = 0;
  Point ready;  // its last decoding
  Point read;   // the last post-processing that reads it
};

struct Decoder {
  std::shared_ptr<Context> context;
  std::shared_ptr<Stream> engine;
  CUVIDDECODECREATEINFO info;
  size_t pitch = 0;
  uint64_t charged = 0;
  uint32_t pictures = 0;
  std::vector<DecodeSurface> surfaces;
  std::vector<OutputSurface> outputs;
};

std::map<CUvideodecoder, std::shared_ptr<Decoder>>& decoders() {
  static auto* const table = new std::map<CUvideodecoder, std::shared_ptr<Decoder>>;
  return *table;
}

std::shared_ptr<Decoder> find_decoder(CUvideodecoder handle) {
  const auto found = decoders().find(handle);
  return found == decoders().end() ? nullptr : found->second;
}

bool wide(const CUVIDDECODECREATEINFO& info) {
  return info.OutputFormat == cudaVideoSurfaceFormat_P016;
}

size_t sample_bytes(const CUVIDDECODECREATEINFO& info) {
  return wide(info) ? 2 : 1;
}

size_t pitch_of(const CUVIDDECODECREATEINFO& info) {
  const size_t width = info.ulTargetWidth * sample_bytes(info);
  return (width + kTextureAlignment - 1) / kTextureAlignment * kTextureAlignment;
}

// Luma, then the interleaved chroma of half the height.
size_t surface_rows(const CUVIDDECODECREATEINFO& info) {
  return info.ulTargetHeight + (info.ulTargetHeight + 1) / 2;
}

bool supported(cudaVideoCodec codec, cudaVideoChromaFormat chroma, unsigned depth_minus_8) {
  if (chroma != cudaVideoChromaFormat_420) return false;
  switch (codec) {
    case cudaVideoCodec_MPEG2:
    case cudaVideoCodec_H264:
    case cudaVideoCodec_JPEG:
    case cudaVideoCodec_VP8:
      return depth_minus_8 == 0;
    case cudaVideoCodec_HEVC:
    case cudaVideoCodec_VP9:
      return depth_minus_8 == 0 || depth_minus_8 == 2 || depth_minus_8 == 4;
    case cudaVideoCodec_AV1:
      return depth_minus_8 == 0 || depth_minus_8 == 2;
    default:
      return false;
  }
}

constexpr unsigned kMinWidth = 48;
constexpr unsigned kMinHeight = 16;
constexpr unsigned kMaxSize = 8192;
constexpr unsigned kMaxDecodeSurfaces = 32;
constexpr unsigned kMaxOutputSurfaces = 64;

CUresult check(const CUVIDDECODECREATEINFO& info) {
  if (!supported(info.CodecType, info.ChromaFormat, static_cast<unsigned>(info.bitDepthMinus8))) {
    return kNotSupported;
  }
  if (info.ulWidth < kMinWidth || info.ulHeight < kMinHeight || info.ulWidth > kMaxSize ||
      info.ulHeight > kMaxSize) {
    return kInvalidValue;
  }
  if (info.OutputFormat != cudaVideoSurfaceFormat_NV12 &&
      info.OutputFormat != cudaVideoSurfaceFormat_P016) {
    return kNotSupported;
  }
  if (info.ulTargetWidth == 0 || info.ulTargetHeight == 0) return kInvalidValue;
  if (info.ulNumDecodeSurfaces == 0 || info.ulNumDecodeSurfaces > kMaxDecodeSurfaces) {
    return kInvalidValue;
  }
  return info.ulNumOutputSurfaces > kMaxOutputSurfaces ? kInvalidValue : CUDA_SUCCESS;
}

void release_memory(Decoder& decoder) {
  Driver& state = driver();
  for (const OutputSurface& output : decoder.outputs) {
    if (state.memory.find(output.base) != nullptr) state.memory.free(output.base);
  }
  decoder.outputs.clear();
  state.memory.discharge(decoder.context->device, decoder.charged);
  decoder.charged = 0;
}

// The decode surfaces count as memory, but have none: their pictures are computed when mapped.
CUresult take_memory(Decoder& decoder) {
  Driver& state = driver();
  const int device = decoder.context->device;
  decoder.pitch = pitch_of(decoder.info);
  const size_t size = decoder.pitch * surface_rows(decoder.info);
  const uint64_t charge = decoder.info.ulNumDecodeSurfaces * size;
  if (!state.memory.charge(device, charge)) return kOutOfMemory;
  decoder.charged = charge;
  for (unsigned i = 0; i < decoder.info.ulNumOutputSurfaces; i++) {
    const Allocation* allocation =
        state.memory.allocate(size, device, decoder.context->handle, MemoryKind::kDecoder);
    if (allocation == nullptr) {
      release_memory(decoder);
      return kOutOfMemory;
    }
    decoder.outputs.push_back({allocation->base, false});
  }
  return CUDA_SUCCESS;
}

void draw(uintptr_t base, size_t pitch, const CUVIDDECODECREATEINFO& info, uint32_t picture) {
  const auto width = static_cast<uint32_t>(info.ulTargetWidth);
  const auto height = static_cast<uint32_t>(info.ulTargetHeight);
  const bool is_wide = wide(info);
  const auto draw_plane = [&](uint32_t first_row, uint32_t rows, auto sample) {
    for (uint32_t y = 0; y < rows; y++) {
      auto* row = reinterpret_cast<uint8_t*>(base + (first_row + y) * pitch);
      for (uint32_t x = 0; x < width; x++) {
        if (is_wide) *row++ = standin_fraction(picture, x, y);
        *row++ = sample(picture, x, y);
      }
    }
  };
  draw_plane(0, height, standin_luma);
  draw_plane(height, (height + 1) / 2, standin_chroma);
}

// NVDEC itself keeps decoding and post-processing of a surface apart.
void follow(Operation& operation, const Point& point) {
  if (point.stream == nullptr || point.stream->completed >= point.sequence) return;
  operation.after.push_back(point);
  operation.clock[point.stream->id] = point.sequence;
}

CUresult map(Entry& entry, CUvideodecoder handle, int index, unsigned long long* pointer,
             unsigned* pitch, const CUVIDPROCPARAMS* parameters) {
  const auto decoder = find_decoder(handle);
  if (decoder == nullptr) return kInvalidHandle;
  if (index < 0 || static_cast<size_t>(index) >= decoder->surfaces.size()) return kInvalidValue;
  DecodeSurface& surface = decoder->surfaces[static_cast<size_t>(index)];
  if (!surface.decoded || parameters == nullptr) return kInvalidValue;
  const auto stream = find_stream(entry, parameters->output_stream);
  if (stream == nullptr || stream->context != entry.context) return kInvalidHandle;
  OutputSurface* output = nullptr;
  for (OutputSurface& candidate : decoder->outputs) {
    if (!candidate.mapped && output == nullptr) output = &candidate;
  }
  if (output == nullptr) return kMapFailed;

  Operation operation;
  operation.name = entry.call;
  operation.fault = take_operation_fault(entry.call);
  operation.timed = true;
  const size_t rows = surface_rows(decoder->info);
  operation.ranges.push_back({output->base,
                              decoder->info.ulTargetWidth * sample_bytes(decoder->info), rows,
                              decoder->pitch, 1});
  operation.bytes = decoder->pitch * rows;
  follow(operation, surface.ready);
  operation.run = [base = output->base, step = decoder->pitch, info = decoder->info,
                   picture = surface.picture] { draw(base, step, info, picture); };
  uint64_t sequence = 0;
  if (const auto result = enqueue(stream, std::move(operation), &sequence);
      result != CUDA_SUCCESS) {
    return result;
  }
  surface.read = {stream, sequence};
  output->mapped = true;
  *pointer = output->base;
  *pitch = static_cast<unsigned>(decoder->pitch);
  return CUDA_SUCCESS;
}

CUresult unmap(CUvideodecoder handle, unsigned long long pointer) {
  const auto decoder = find_decoder(handle);
  if (decoder == nullptr) return kInvalidHandle;
  for (OutputSurface& output : decoder->outputs) {
    if (output.base != pointer || !output.mapped) continue;
    output.mapped = false;
    return CUDA_SUCCESS;
  }
  return kInvalidValue;
}

}  // namespace

extern "C" {

CUresult cuvidGetDecoderCaps(CUVIDDECODECAPS* caps) {
  STANDIN_ENTER(kSound);
  if (caps == nullptr) return kInvalidValue;
  const bool known = supported(caps->eCodecType, caps->eChromaFormat, caps->nBitDepthMinus8);
  caps->bIsSupported = known ? 1 : 0;
  caps->nNumNVDECs = known ? 1 : 0;
  caps->nOutputFormatMask =
      known ? static_cast<unsigned short>(caps->nBitDepthMinus8 == 0 ? 1u : 3u) : 0;
  caps->nMaxWidth = known ? kMaxSize : 0;
  caps->nMaxHeight = known ? kMaxSize : 0;
  caps->nMaxMBCount = known ? kMaxSize / 16 * (kMaxSize / 16) : 0;
  caps->nMinWidth = known ? kMinWidth : 0;
  caps->nMinHeight = known ? kMinHeight : 0;
  return CUDA_SUCCESS;
}

CUresult cuvidCreateDecoder(CUvideodecoder* handle, CUVIDDECODECREATEINFO* info) {
  STANDIN_ENTER(kSound);
  if (handle == nullptr || info == nullptr) return kInvalidValue;
  if (const auto result = check(*info); result != CUDA_SUCCESS) return result;
  auto decoder = std::make_shared<Decoder>();
  decoder->context = entry.context;
  decoder->info = *info;
  if (const auto result = take_memory(*decoder); result != CUDA_SUCCESS) return result;
  decoder->surfaces.resize(info->ulNumDecodeSurfaces);
  decoder->engine = make_stream(entry.context, CU_STREAM_NON_BLOCKING, "decoder");
  *handle = driver().new_handle<CUvideodecoder>();
  decoders()[*handle] = decoder;
  driver().decoders[entry.context->device]++;
  spend(entry.lock, 57000);
  return CUDA_SUCCESS;
}

CUresult cuvidDestroyDecoder(CUvideodecoder handle) {
  STANDIN_ENTER(kContext);
  const auto decoder = find_decoder(handle);
  if (decoder == nullptr) return kInvalidHandle;
  decoders().erase(handle);
  Driver& state = driver();
  wait_for(entry.lock, {decoder->engine, decoder->engine->enqueued});
  for (const OutputSurface& output : decoder->outputs) {
    wait_for_memory(entry.lock, output.base, decoder->pitch * surface_rows(decoder->info));
  }
  if (state.cost_model) wait_for_device(entry.lock, decoder->context->device);
  close_stream(decoder->engine);
  release_memory(*decoder);
  state.decoders[decoder->context->device]--;
  spend(entry.lock, 51000);
  return CUDA_SUCCESS;
}

CUresult cuvidDecodePicture(CUvideodecoder handle, CUVIDPICPARAMS* parameters) {
  STANDIN_ENTER(kSound);
  const auto decoder = find_decoder(handle);
  if (decoder == nullptr) return kInvalidHandle;
  if (parameters == nullptr || parameters->CurrPicIdx < 0 ||
      static_cast<size_t>(parameters->CurrPicIdx) >= decoder->surfaces.size()) {
    return kInvalidValue;
  }
  DecodeSurface& surface = decoder->surfaces[static_cast<size_t>(parameters->CurrPicIdx)];
  Operation operation;
  operation.name = entry.call;
  operation.fault = take_operation_fault(entry.call);
  operation.timed = true;
  follow(operation, surface.read);
  uint64_t sequence = 0;
  if (const auto result = enqueue(decoder->engine, std::move(operation), &sequence);
      result != CUDA_SUCCESS) {
    return result;
  }
  surface.ready = {decoder->engine, sequence};
  // The second field completes the picture of the first.
  if (!surface.decoded || parameters->second_field == 0) surface.picture = decoder->pictures++;
  surface.decoded = true;
  return CUDA_SUCCESS;
}

CUresult cuvidGetDecodeStatus(CUvideodecoder handle, int index, CUVIDGETDECODESTATUS* status) {
  STANDIN_ENTER(kSound);
  const auto decoder = find_decoder(handle);
  if (decoder == nullptr) return kInvalidHandle;
  if (status == nullptr || index < 0 || static_cast<size_t>(index) >= decoder->surfaces.size()) {
    return kInvalidValue;
  }
  const DecodeSurface& surface = decoder->surfaces[static_cast<size_t>(index)];
  int value = cuvidDecodeStatus_Invalid;
  if (surface.decoded) {
    const bool done = surface.ready.stream->completed >= surface.ready.sequence;
    value = done ? driver().decode_status : static_cast<int>(cuvidDecodeStatus_InProgress);
  }
  status->decodeStatus = static_cast<cuvidDecodeStatus>(value);
  return CUDA_SUCCESS;
}

CUresult cuvidReconfigureDecoder(CUvideodecoder handle, CUVIDRECONFIGUREDECODERINFO* info) {
  STANDIN_ENTER(kSound);
  const auto decoder = find_decoder(handle);
  if (decoder == nullptr) return kInvalidHandle;
  if (info == nullptr || info->ulWidth > decoder->info.ulMaxWidth ||
      info->ulHeight > decoder->info.ulMaxHeight) {
    return kInvalidValue;
  }
  CUVIDDECODECREATEINFO changed = decoder->info;
  changed.ulWidth = info->ulWidth;
  changed.ulHeight = info->ulHeight;
  changed.ulTargetWidth = info->ulTargetWidth;
  changed.ulTargetHeight = info->ulTargetHeight;
  changed.ulNumDecodeSurfaces = info->ulNumDecodeSurfaces;
  if (const auto result = check(changed); result != CUDA_SUCCESS) return result;
  for (const OutputSurface& output : decoder->outputs) {
    if (output.mapped) return kInvalidValue;
  }
  wait_for(entry.lock, {decoder->engine, decoder->engine->enqueued});
  for (const OutputSurface& output : decoder->outputs) {
    wait_for_memory(entry.lock, output.base, decoder->pitch * surface_rows(decoder->info));
  }
  release_memory(*decoder);
  decoder->info = changed;
  decoder->surfaces.assign(changed.ulNumDecodeSurfaces, {});
  return take_memory(*decoder);
}

CUresult cuvidMapVideoFrame64(CUvideodecoder handle, int index, unsigned long long* pointer,
                              unsigned* pitch, CUVIDPROCPARAMS* parameters) {
  STANDIN_ENTER(kSound);
  return map(entry, handle, index, pointer, pitch, parameters);
}

CUresult cuvidUnmapVideoFrame64(CUvideodecoder handle, unsigned long long pointer) {
  STANDIN_ENTER(kSound);
  return unmap(handle, pointer);
}

// The 32-bit names; both loaders use the 64-bit ones on 64-bit machines.
CUresult cuvidMapVideoFrame(CUvideodecoder, int, unsigned*, unsigned*, CUVIDPROCPARAMS*) {
  STANDIN_ENTER(kNothing);
  return kNotSupported;
}

CUresult cuvidUnmapVideoFrame(CUvideodecoder, unsigned) {
  STANDIN_ENTER(kNothing);
  return kNotSupported;
}

}  // extern "C"
