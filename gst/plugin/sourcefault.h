// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>

#include "fault.h"

namespace nv12slot::gst {

/// What an error of a source, a demuxer or a parser means for a camera. `had_packets`: data had
/// come before, so a failure to read is not one to connect.
[[nodiscard]] camera::Fault fault_of(const GError& error, bool had_packets);

/// What a source, a demuxer or a parser says of its error: the message, and the detail that was
/// given with it (nullptr: none). The place in its code is left out. May hold a password.
[[nodiscard]] std::string said_of(const GError& error, const char* debug);

/// What has happened, in a sentence.
[[nodiscard]] std::string what_is(camera::Fault fault);

/// What its user can do about it, in a sentence.
[[nodiscard]] std::string advice_for(camera::Fault fault);

}  // namespace nv12slot::gst
