// SPDX-License-Identifier: LGPL-2.1-or-later
#include "slotsettings.h"

#include <utility>

#include "nv12slot/process.h"
#include "poolcontrol.h"

using nv12slot::OnExhausted;

static GType gst_nv12_slot_on_exhausted_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(OnExhausted::kDrop), "Drop the frame", "drop"},
        {static_cast<int>(OnExhausted::kBlock), "Wait for a slot until the time-out, then drop",
         "block"},
        {static_cast<int>(OnExhausted::kHost),
         "Put the frame into a slot of the host, where downstream takes system memory; else drop",
         "host"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12SlotOnExhausted", values);
  }();
  return type;
}

namespace nv12slot::gst {
namespace {

SlotPool& pool() {
  return *Process::get().pool;
}

}  // namespace

void install_slot_properties(GObjectClass* object_class, const char* element) {
  constexpr auto kNull = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  constexpr auto kReady = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                   GST_PARAM_MUTABLE_READY);
  constexpr auto kPlaying = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                                                     GST_PARAM_MUTABLE_PLAYING);
  // Ranges are as wide as the types: a bad value is then refused with an error that says what is
  // wrong with it, where GObject would only print a warning.
  g_object_class_install_property(
      object_class, PROP_DEVICE,
      g_param_spec_int(
          "device", "Device",
          "Ordinal of the CUDA device to make slots on; -1 makes them on the host "
          "only. Without any CUDA device, 0 does that too. Changeable only in NULL state",
          G_MININT, G_MAXINT, kDefaultDevice, kNull));
  g_object_class_install_property(
      object_class, PROP_SOURCE_NAME,
      g_param_spec_string("source-name", "Source name",
                          "Names the source (camera) of the frames for consumers and statistics; "
                          "unset: the element's name",
                          nullptr, kReady));
  g_object_class_install_property(
      object_class, PROP_ON_EXHAUSTED,
      g_param_spec_enum("on-exhausted", "On exhausted",
                        "What happens to a frame when the cap, the quota or the device's memory "
                        "leaves no slot for it; counted in stats in any case",
                        gst_nv12_slot_on_exhausted_get_type(),
                        static_cast<int>(kDefaultOnExhausted), kPlaying));
  g_object_class_install_property(
      object_class, PROP_TIMEOUT,
      g_param_spec_uint64(
          "timeout", "Time-out",
          "How long on-exhausted=block waits for a slot, in nanoseconds; 0 does not "
          "wait. Flushing and stopping end the wait",
          0, G_MAXUINT64, kDefaultTimeout, kPlaying));
  g_object_class_install_property(
      object_class, PROP_QUOTA,
      g_param_spec_uint(
          "quota", "Quota",
          "Slots of each domain this element's frames may have at a time, those of earlier runs "
          "and the cooling ones included, so that one camera cannot take all; 0: no limit",
          0, G_MAXUINT, kDefaultQuota, kPlaying));
  g_object_class_install_property(
      object_class, PROP_SLOW_FRAME_THRESHOLD,
      g_param_spec_uint64(
          "slow-frame-threshold", "Slow frame threshold",
          "Frames that take longer than this many nanoseconds, from when the element has their "
          "picture (of nv12slotdec: has decoded it) until downstream has taken them, are logged "
          "with where the time went and counted; 0: none",
          0, G_MAXUINT64, kDefaultSlowFrame, kPlaying));
  g_object_class_install_property(
      object_class, PROP_POOL_CAP,
      g_param_spec_uint(
          "pool-cap", "Pool cap",
          "Process-wide: slots each domain (a CUDA device, or the host) may have, 1 to "
          "4096. Not set, the process keeps what it has: NV12SLOT_POOL_CAP, or 64",
          0, G_MAXUINT, kDefaultPoolCap, kPlaying));
  g_object_class_install_property(
      object_class, PROP_POOL_COOLDOWN,
      g_param_spec_uint64(
          "pool-cooldown", "Pool cooldown",
          "Process-wide: nanoseconds between the release of a frame that a reader "
          "may not have fenced and the next use of its slot, at most 10 s. Not set, "
          "the process keeps what it has: NV12SLOT_POOL_COOLDOWN_MS, or 50 ms",
          0, G_MAXUINT64, kDefaultPoolCooldown, kPlaying));
  const std::string statistics =
      std::string(
          "Counters of this element since it last left READY, and of the pool since the "
          "process began (application/x-") +
      element + "-stats; the fields are in docs/" + element + ".md)";
  g_object_class_install_property(object_class, PROP_STATS,
                                  g_param_spec_boxed("stats", "Statistics", statistics.c_str(),
                                                     GST_TYPE_STRUCTURE, G_PARAM_READABLE));
}

std::string apply_pool_property(guint id, const GValue* value) {
  Status status;
  if (id == PROP_POOL_CAP) status = pool().set_cap(g_value_get_uint(value));
  if (id == PROP_POOL_COOLDOWN) {
    status = pool().set_cooldown(to_duration(g_value_get_uint64(value)));
  }
  return status ? std::string() : status.error().message;
}

void set_slot_property(SlotSettings& settings, guint id, const GValue* value, std::string refused) {
  switch (id) {
    case PROP_DEVICE:
      settings.device = g_value_get_int(value);
      break;
    case PROP_SOURCE_NAME: {
      const char* name = g_value_get_string(value);
      settings.source_name = name != nullptr ? name : "";
      break;
    }
    case PROP_ON_EXHAUSTED:
      settings.on_exhausted = static_cast<OnExhausted>(g_value_get_enum(value));
      break;
    case PROP_TIMEOUT:
      settings.timeout = g_value_get_uint64(value);
      break;
    case PROP_QUOTA:
      settings.quota = g_value_get_uint(value);
      break;
    case PROP_SLOW_FRAME_THRESHOLD:
      settings.slow_frame_threshold = g_value_get_uint64(value);
      break;
    case PROP_POOL_CAP:
      settings.refused_cap = std::move(refused);
      break;
    case PROP_POOL_COOLDOWN:
      settings.refused_cooldown = std::move(refused);
      break;
    default:
      g_assert_not_reached();
  }
}

void get_slot_property(const SlotSettings& settings, guint id, GValue* value) {
  switch (id) {
    case PROP_DEVICE:
      g_value_set_int(value, settings.device);
      break;
    case PROP_SOURCE_NAME:
      g_value_set_string(value,
                         settings.source_name.empty() ? nullptr : settings.source_name.c_str());
      break;
    case PROP_ON_EXHAUSTED:
      g_value_set_enum(value, static_cast<int>(settings.on_exhausted));
      break;
    case PROP_TIMEOUT:
      g_value_set_uint64(value, settings.timeout);
      break;
    case PROP_QUOTA:
      g_value_set_uint(value, settings.quota);
      break;
    case PROP_SLOW_FRAME_THRESHOLD:
      g_value_set_uint64(value, settings.slow_frame_threshold);
      break;
    case PROP_POOL_CAP:
      g_value_set_uint(value, pool().settings().cap);
      break;
    case PROP_POOL_COOLDOWN:
      g_value_set_uint64(value, static_cast<guint64>(pool().settings().cooldown.count()));
      break;
    default:
      g_assert_not_reached();
  }
}

}  // namespace nv12slot::gst
