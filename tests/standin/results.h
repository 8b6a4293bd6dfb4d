// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The driver's results by number: nv-codec-headers declare only those that FFmpeg names, and the
// stand-in is built without the CUDA Toolkit.

#ifndef NV12SLOT_TESTS_STANDIN_RESULTS_H_
#define NV12SLOT_TESTS_STANDIN_RESULTS_H_

#include <ffnvcodec/dynlink_cuda.h>

namespace nv12slot::standin {

inline constexpr CUresult kInvalidValue = static_cast<CUresult>(1);
inline constexpr CUresult kOutOfMemory = static_cast<CUresult>(2);
inline constexpr CUresult kNotInitialized = static_cast<CUresult>(3);
inline constexpr CUresult kDeinitialized = static_cast<CUresult>(4);
inline constexpr CUresult kInvalidDevice = static_cast<CUresult>(101);
inline constexpr CUresult kInvalidContext = static_cast<CUresult>(201);
inline constexpr CUresult kMapFailed = static_cast<CUresult>(205);
inline constexpr CUresult kPeerAccessUnsupported = static_cast<CUresult>(217);
inline constexpr CUresult kInvalidHandle = static_cast<CUresult>(400);
inline constexpr CUresult kNotFound = static_cast<CUresult>(500);
inline constexpr CUresult kNotReady = static_cast<CUresult>(600);
inline constexpr CUresult kIllegalAddress = static_cast<CUresult>(700);
inline constexpr CUresult kPeerAccessAlreadyEnabled = static_cast<CUresult>(704);
inline constexpr CUresult kPeerAccessNotEnabled = static_cast<CUresult>(705);
inline constexpr CUresult kContextIsDestroyed = static_cast<CUresult>(709);
inline constexpr CUresult kNotPermitted = static_cast<CUresult>(800);
inline constexpr CUresult kNotSupported = static_cast<CUresult>(801);
inline constexpr CUresult kCaptureUnsupported = static_cast<CUresult>(900);

}  // namespace nv12slot::standin

#endif  // NV12SLOT_TESTS_STANDIN_RESULTS_H_
