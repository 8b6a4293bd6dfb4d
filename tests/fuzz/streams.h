// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>

#if defined(__SANITIZE_ADDRESS__)
#define NV12SLOT_FUZZ_FINDS_LEAKS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NV12SLOT_FUZZ_FINDS_LEAKS
#endif
#endif

#ifdef NV12SLOT_FUZZ_FINDS_LEAKS
#include <sanitizer/lsan_interface.h>
#endif

namespace nv12slot::fuzz {

/// Calls `play` with the number of each damaged stream in turn. The process ends, with the number
/// told, when one of them crashes it or takes more than 20 s; stops after a failed expectation.
///
///   NV12SLOT_FUZZ_STREAMS  how many streams in all programs together (default 10,000)
///   NV12SLOT_FUZZ_SHARE    of which this program plays so many percent (default 100)
///   NV12SLOT_FUZZ_FIRST    the first one's number (default 0)
///
/// To repeat number 4711 alone: NV12SLOT_FUZZ_FIRST=4711 NV12SLOT_FUZZ_STREAMS=1.
void for_each_stream(const std::function<void(std::uint32_t number)>& play);

/// What is allocated on this thread during its life may be leaked, if `allowed`.
///
/// For damaged JPEG on NVDEC: FFmpeg 5.1 (mjpegdec.c) allocates hwaccel_picture_private at each
/// frame header and frees it at the end of the image only, so that it loses a byte with each
/// picture that has no end or several headers. Nobody but FFmpeg knows of it.
class MayLeak {
 public:
  explicit MayLeak([[maybe_unused]] bool allowed) {
#ifdef NV12SLOT_FUZZ_FINDS_LEAKS
    is_allowed_ = allowed;
    if (is_allowed_) __lsan_disable();
#endif
  }
  ~MayLeak() {
#ifdef NV12SLOT_FUZZ_FINDS_LEAKS
    if (is_allowed_) __lsan_enable();
#endif
  }
  MayLeak(const MayLeak&) = delete;
  MayLeak& operator=(const MayLeak&) = delete;

 private:
  [[maybe_unused]] bool is_allowed_ = false;
};

}  // namespace nv12slot::fuzz
