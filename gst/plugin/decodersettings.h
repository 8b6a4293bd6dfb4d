// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "decoder.h"
#include "slotsettings.h"

// The properties of nv12slotdec, apart from what it does with them.
namespace nv12slot::gst {

inline constexpr bool kDefaultLowLatency = false;
inline constexpr guint kDefaultMaxThreads = 0;

struct DecoderSettings : SlotSettings {
  decode::Path force_path = decode::Path::kNone;  ///< kNone: NVDEC where it can, else software
  bool low_latency = kDefaultLowLatency;
  guint max_threads = kDefaultMaxThreads;  ///< software: 0 as many as there are cores
  std::string refused_cache_cap;           ///< why that setting was refused, or empty
};

enum DecoderProperty {
  PROP_FORCE_PATH = PROP_STATS + 1,
  PROP_PATH,
  PROP_LOW_LATENCY,
  PROP_MAX_THREADS,
  PROP_DECODER_CACHE_CAP,
  PROP_DECODER_CACHE_TIMEOUT,
};

/// Adds those of every slot element, and these, to the class of `element`, the factory's name.
void install_decoder_properties(GObjectClass* object_class, const char* element);
/// Process-wide ones take effect at once.
void set_decoder_property(DecoderSettings& settings, guint id, const GValue* value);
/// All but PROP_STATS and PROP_PATH.
void get_decoder_property(const DecoderSettings& settings, guint id, GValue* value);

}  // namespace nv12slot::gst
