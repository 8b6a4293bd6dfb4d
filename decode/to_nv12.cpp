// SPDX-License-Identifier: LGPL-2.1-or-later
#include "to_nv12.h"

extern "C" {
#include <libswscale/swscale.h>
}
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace nv12slot::decode {
namespace {

const std::uint8_t* row_of(const AVFrame& frame, int plane, std::uint32_t row) {
  return frame.data[plane] + static_cast<std::ptrdiff_t>(row) * frame.linesize[plane];
}

void copy_rows(const AVFrame& frame, int plane, std::uintptr_t to, std::size_t pitch,
               std::size_t bytes, std::uint32_t rows) {
  for (std::uint32_t row = 0; row < rows; ++row) {
    std::memcpy(reinterpret_cast<void*>(to + row * pitch), row_of(frame, plane, row), bytes);
  }
}

void interleave(const std::uint8_t* __restrict u, const std::uint8_t* __restrict v,
                std::uint8_t* __restrict uv, std::size_t pairs) {
  for (std::size_t i = 0; i < pairs; ++i) {
    uv[2 * i] = u[i];
    uv[2 * i + 1] = v[i];
  }
}

/// `shift`: bits above 8.
std::uint8_t narrow(std::uint16_t sample, unsigned shift) {
  return static_cast<std::uint8_t>(std::min((sample + (1u << shift >> 1)) >> shift, 255u));
}

void narrow_row(const std::uint8_t* from, std::uint8_t* __restrict to, std::size_t samples,
                unsigned shift) {
  const auto* __restrict wide = reinterpret_cast<const std::uint16_t*>(from);
  for (std::size_t i = 0; i < samples; ++i) to[i] = narrow(wide[i], shift);
}

void narrow_and_interleave(const std::uint8_t* u, const std::uint8_t* v,
                           std::uint8_t* __restrict uv, std::size_t pairs, unsigned shift) {
  const auto* __restrict wide_u = reinterpret_cast<const std::uint16_t*>(u);
  const auto* __restrict wide_v = reinterpret_cast<const std::uint16_t*>(v);
  for (std::size_t i = 0; i < pairs; ++i) {
    uv[2 * i] = narrow(wide_u[i], shift);
    uv[2 * i + 1] = narrow(wide_v[i], shift);
  }
}

/// libswscale's own name for a "yuvj" format. It stores that one, finds the other in the next
/// picture and starts anew for each.
AVPixelFormat without_range(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ411P:
      return AV_PIX_FMT_YUV411P;
    case AV_PIX_FMT_YUVJ422P:
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ440P:
      return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ444P:
      return AV_PIX_FMT_YUV444P;
    default:
      return format;
  }
}

std::uint8_t* at(std::uintptr_t plane, std::size_t pitch, std::uint32_t row) {
  return reinterpret_cast<std::uint8_t*>(plane + row * pitch);
}

void write_planar_8(const AVFrame& frame, const Nv12Planes& to, std::uint32_t width,
                    std::uint32_t height) {
  copy_rows(frame, 0, to.y, to.y_pitch, width, height);
  for (std::uint32_t row = 0; row < height / 2; ++row) {
    interleave(row_of(frame, 1, row), row_of(frame, 2, row), at(to.uv, to.uv_pitch, row),
               width / 2);
  }
}

void write_planar_16(const AVFrame& frame, const Nv12Planes& to, std::uint32_t width,
                     std::uint32_t height, unsigned shift) {
  for (std::uint32_t row = 0; row < height; ++row) {
    narrow_row(row_of(frame, 0, row), at(to.y, to.y_pitch, row), width, shift);
  }
  for (std::uint32_t row = 0; row < height / 2; ++row) {
    narrow_and_interleave(row_of(frame, 1, row), row_of(frame, 2, row), at(to.uv, to.uv_pitch, row),
                          width / 2, shift);
  }
}

void write_gray(const AVFrame& frame, const Nv12Planes& to, std::uint32_t width,
                std::uint32_t height) {
  copy_rows(frame, 0, to.y, to.y_pitch, width, height);
  for (std::uint32_t row = 0; row < height / 2; ++row) {
    std::memset(at(to.uv, to.uv_pitch, row), 128, width);
  }
}

}  // namespace

ToNv12::ToNv12() = default;

ToNv12::~ToNv12() {
  sws_freeContext(scaler_);
}

Status ToNv12::write(const AVFrame& frame, const Nv12Planes& to, std::uint32_t width,
                     std::uint32_t height) {
  switch (frame.format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
      write_planar_8(frame, to, width, height);
      return {};
    case AV_PIX_FMT_NV12:
      copy_rows(frame, 0, to.y, to.y_pitch, width, height);
      copy_rows(frame, 1, to.uv, to.uv_pitch, width, height / 2);
      return {};
    case AV_PIX_FMT_GRAY8:
      write_gray(frame, to, width, height);
      return {};
    // Native byte order, as libavcodec decodes.
    case AV_PIX_FMT_YUV420P9:
      write_planar_16(frame, to, width, height, 1);
      return {};
    case AV_PIX_FMT_YUV420P10:
      write_planar_16(frame, to, width, height, 2);
      return {};
    case AV_PIX_FMT_YUV420P12:
      write_planar_16(frame, to, width, height, 4);
      return {};
    default:
      return scale(frame, to, static_cast<int>(width), static_cast<int>(height));
  }
}

Status ToNv12::scale(const AVFrame& frame, const Nv12Planes& to, int width, int height) {
  const AVPixelFormat format = without_range(static_cast<AVPixelFormat>(frame.format));
  const char* const name = av_get_pix_fmt_name(format);
  if (sws_isSupportedInput(format) == 0) {
    return Error{Errc::kInvalidArgument,
                 fmt::format("pictures of the format {} cannot be made NV12",
                             name != nullptr ? name : "unknown")};
  }
  scaler_ = sws_getCachedContext(scaler_, width, height, format, width, height, AV_PIX_FMT_NV12,
                                 SWS_BILINEAR | SWS_ACCURATE_RND, nullptr, nullptr, nullptr);
  if (scaler_ == nullptr) return Error{Errc::kOutOfMemory, "libswscale gave no converter"};
  // The range stays as it is: the caps tell it.
  const int range = frame.color_range == AVCOL_RANGE_JPEG ? 1 : 0;
  const int* const matrix = sws_getCoefficients(SWS_CS_DEFAULT);
  sws_setColorspaceDetails(scaler_, matrix, range, matrix, range, 0, 1 << 16, 1 << 16);
  std::uint8_t* const planes[] = {at(to.y, 0, 0), at(to.uv, 0, 0), nullptr, nullptr};
  const int pitches[] = {static_cast<int>(to.y_pitch), static_cast<int>(to.uv_pitch), 0, 0};
  if (sws_scale(scaler_, frame.data, frame.linesize, 0, height, planes, pitches) != height) {
    return Error{Errc::kInvalidArgument, "libswscale did not convert the picture"};
  }
  return {};
}

}  // namespace nv12slot::decode
