// SPDX-License-Identifier: LGPL-2.1-or-later
#include "decodersettings.h"

#include "decoder_cache.h"
#include "poolcontrol.h"

using nv12slot::decode::Path;

static GType gst_nv12_slot_decode_path_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(Path::kNone), "None", "none"},
        {static_cast<int>(Path::kNvdec), "NVDEC, the GPU's decoder, through FFmpeg", "nvdec"},
        {static_cast<int>(Path::kSoftware), "libavcodec on the CPU", "software"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12SlotDecodePath", values);
  }();
  return type;
}

namespace nv12slot::gst {
namespace {

decode::DecoderCache& cache() {
  return decode::DecoderCache::process();
}

}  // namespace

void install_decoder_properties(GObjectClass* object_class, const char* element) {
  install_slot_properties(object_class, element);
  constexpr auto kReady = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  constexpr auto kPlaying = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                     GST_PARAM_MUTABLE_PLAYING);
  g_object_class_install_property(
      object_class, PROP_FORCE_PATH,
      g_param_spec_enum("force-path", "Force path",
                        "What decodes: 'nvdec' or 'software' and nothing else, with an error where "
                        "that cannot be; 'none' takes NVDEC where it can and software where not",
                        gst_nv12_slot_decode_path_get_type(), static_cast<int>(Path::kNone),
                        kReady));
  g_object_class_install_property(
      object_class, PROP_PATH,
      g_param_spec_enum(
          "path", "Path",
          "What decodes now; the element message 'nv12slotdec-path' tells each change "
          "and why",
          gst_nv12_slot_decode_path_get_type(), static_cast<int>(Path::kNone),
          static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)));
  g_object_class_install_property(
      object_class, PROP_LOW_LATENCY,
      g_param_spec_boolean(
          "low-latency", "Low latency",
          "Give each picture out as soon as the stream's own reordering allows: no "
          "decoding of several pictures at once in software",
          kDefaultLowLatency, kReady));
  g_object_class_install_property(
      object_class, PROP_MAX_THREADS,
      g_param_spec_uint(
          "max-threads", "Maximum threads",
          "Threads of the software decoder at most; 0: as many as there are cores. "
          "Of a live source they share each picture, else they decode several at once",
          0, 64, kDefaultMaxThreads, kReady));
  g_object_class_install_property(
      object_class, PROP_DECODER_CACHE_CAP,
      g_param_spec_uint("decoder-cache-cap", "Decoder cache cap",
                        "Process-wide: NVDEC decoders that stay open at most while no camera uses "
                        "them, 0 to 256, so that a camera that comes back need not open one. Each "
                        "keeps its device memory",
                        0, G_MAXUINT, decode::DecoderCache::kDefaultCap, kPlaying));
  g_object_class_install_property(
      object_class, PROP_DECODER_CACHE_TIMEOUT,
      g_param_spec_uint64("decoder-cache-timeout", "Decoder cache time-out",
                          "Process-wide: nanoseconds after which a decoder that no camera took is "
                          "closed; 0: at once",
                          0, G_MAXUINT64,
                          static_cast<guint64>(decode::DecoderCache::kDefaultIdleTimeout.count()),
                          kPlaying));
}

void set_decoder_property(DecoderSettings& settings, guint id, const GValue* value) {
  switch (id) {
    case PROP_FORCE_PATH:
      settings.force_path = static_cast<Path>(g_value_get_enum(value));
      break;
    case PROP_LOW_LATENCY:
      settings.low_latency = g_value_get_boolean(value) != FALSE;
      break;
    case PROP_MAX_THREADS:
      settings.max_threads = g_value_get_uint(value);
      break;
    case PROP_DECODER_CACHE_CAP: {
      const Status status = cache().set_cap(g_value_get_uint(value));
      settings.refused_cache_cap = status ? std::string() : status.error().message;
      break;
    }
    case PROP_DECODER_CACHE_TIMEOUT:
      cache().set_idle_timeout(to_duration(g_value_get_uint64(value)));
      break;
    default:
      set_slot_property(settings, id, value, apply_pool_property(id, value));
  }
}

void get_decoder_property(const DecoderSettings& settings, guint id, GValue* value) {
  switch (id) {
    case PROP_FORCE_PATH:
      g_value_set_enum(value, static_cast<int>(settings.force_path));
      break;
    case PROP_LOW_LATENCY:
      g_value_set_boolean(value, settings.low_latency ? TRUE : FALSE);
      break;
    case PROP_MAX_THREADS:
      g_value_set_uint(value, settings.max_threads);
      break;
    case PROP_DECODER_CACHE_CAP:
      g_value_set_uint(value, cache().stats().cap);
      break;
    case PROP_DECODER_CACHE_TIMEOUT:
      g_value_set_uint64(value, static_cast<guint64>(cache().idle_timeout().count()));
      break;
    default:
      get_slot_property(settings, id, value);
  }
}

}  // namespace nv12slot::gst
