// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sourcefault.h"

#include <string_view>

namespace nv12slot::gst {

using camera::Fault;

Fault fault_of(const GError& error, bool had_packets) {
  if (error.domain == GST_RESOURCE_ERROR) {
    switch (error.code) {
      case GST_RESOURCE_ERROR_NOT_AUTHORIZED:
        return Fault::kUnauthorized;
      case GST_RESOURCE_ERROR_NOT_FOUND:
        return Fault::kNotFound;
      case GST_RESOURCE_ERROR_OPEN_READ:
      case GST_RESOURCE_ERROR_OPEN_WRITE:
      case GST_RESOURCE_ERROR_OPEN_READ_WRITE:
        return had_packets ? Fault::kError : Fault::kUnreachable;
      default:
        return Fault::kError;
    }
  }
  if (error.domain == GST_STREAM_ERROR) {
    switch (error.code) {
      case GST_STREAM_ERROR_CODEC_NOT_FOUND:
      case GST_STREAM_ERROR_TYPE_NOT_FOUND:
      case GST_STREAM_ERROR_WRONG_TYPE:
        return Fault::kUnsupported;
      default:
        return Fault::kError;
    }
  }
  return Fault::kError;
}

std::string said_of(const GError& error, const char* debug) {
  // GST_ELEMENT_ERROR writes the detail below the place: rtspsrc's only name for many a fault of
  // a server is "Unhandled error", and the server's answer stands there.
  const std::string_view text = debug != nullptr ? debug : "";
  const std::size_t place_end = text.find('\n');
  if (place_end == std::string_view::npos) return error.message;
  const std::string_view detail = text.substr(place_end + 1);
  return std::string(error.message) + " " + std::string(detail.substr(0, detail.find('\n')));
}

std::string what_is(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "";
    case Fault::kConnectTimeout:
      return "The camera did not answer in time.";
    case Fault::kUnreachable:
      return "The camera cannot be reached.";
    case Fault::kUnauthorized:
      return "The camera wants another user or password.";
    case Fault::kNotFound:
      return "There is no such stream or file.";
    case Fault::kNoVideo:
      return "The camera gives no video.";
    case Fault::kUnsupported:
      return "The camera's video cannot be decoded.";
    case Fault::kPacketTimeout:
      return "The camera has fallen silent.";
    case Fault::kFrameTimeout:
      return "Data comes from the camera, but no picture.";
    case Fault::kEnded:
      return "The camera's stream has ended.";
    case Fault::kError:
      return "The camera has failed.";
  }
  return "";
}

std::string advice_for(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "";
    case Fault::kConnectTimeout:
      return "Check that the camera answers at this URI, or raise connect-timeout.";
    case Fault::kUnreachable:
      return "Check host, port and network; where TLS is spoken, tls-validation-flags too.";
    case Fault::kUnauthorized:
      return "Set user-id and user-pw to what the camera wants.";
    case Fault::kNotFound:
      return "Check the path in the URI.";
    case Fault::kNoVideo:
      return "Check the path in the URI: it must have a video stream.";
    case Fault::kUnsupported:
      return "Set the camera to a codec that nv12slotdec takes.";
    case Fault::kPacketTimeout:
      return "Check the camera and the network, or raise packet-timeout.";
    case Fault::kFrameTimeout:
      return "Check the stream: it has data, but no picture that can be decoded, or no key "
             "picture in frame-timeout.";
    case Fault::kEnded:
      return "The camera or something on the way closed the connection.";
    case Fault::kError:
      return "See the reason given, or GST_DEBUG=nv12slotsrc:5 for more.";
  }
  return "";
}

}  // namespace nv12slot::gst
