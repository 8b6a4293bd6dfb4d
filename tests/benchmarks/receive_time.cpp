// SPDX-License-Identifier: LGPL-2.1-or-later
#include "receive_time.h"

#include <dlfcn.h>

#include <utility>

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace {

thread_local std::optional<std::chrono::steady_clock::time_point> t_received;

}  // namespace

// The build exports it from the program, which the loader searches before FFmpeg.
extern "C" __attribute__((visibility("default"))) int avcodec_receive_frame(AVCodecContext* context,
                                                                            AVFrame* frame) {
  static const auto real =
      reinterpret_cast<decltype(&avcodec_receive_frame)>(dlsym(RTLD_NEXT, "avcodec_receive_frame"));
  const int result = real(context, frame);
  if (result == 0) t_received = std::chrono::steady_clock::now();
  return result;
}

namespace nv12slot::bench {

std::optional<std::chrono::steady_clock::time_point> take_receive_time() {
  return std::exchange(t_received, std::nullopt);
}

}  // namespace nv12slot::bench
