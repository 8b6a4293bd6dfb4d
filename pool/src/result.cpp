// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nv12slot/result.h"

namespace nv12slot {

const char* to_string(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument:
      return "invalid-argument";
    case Errc::kNoDevice:
      return "no-device";
    case Errc::kOutOfMemory:
      return "out-of-memory";
    case Errc::kExhausted:
      return "exhausted";
    case Errc::kQuotaExceeded:
      return "quota-exceeded";
    case Errc::kTimedOut:
      return "timed-out";
    case Errc::kCancelled:
      return "cancelled";
    case Errc::kSourceClosed:
      return "source-closed";
    case Errc::kDeviceFailed:
      return "device-failed";
    case Errc::kExiting:
      return "exiting";
  }
  return "unknown";
}

}  // namespace nv12slot
