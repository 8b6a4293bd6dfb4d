// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <string>

#include "nv12slot/slot_pool.h"

// The properties of every element that puts frames into slots, apart from what it does with them.
namespace nv12slot::gst {

inline constexpr int kDefaultDevice = 0;
inline constexpr auto kDefaultOnExhausted = OnExhausted::kDrop;
inline constexpr guint64 kDefaultTimeout = GST_SECOND;
inline constexpr guint kDefaultQuota = 0;
inline constexpr guint64 kDefaultSlowFrame = 500 * GST_MSECOND;
inline constexpr guint kDefaultPoolCap = 64;
inline constexpr guint64 kDefaultPoolCooldown = 50 * GST_MSECOND;

/// What is looked at for every frame.
struct FrameSettings {
  int device = kDefaultDevice;
  OnExhausted on_exhausted = kDefaultOnExhausted;
  guint64 timeout = kDefaultTimeout;                 ///< ns
  guint64 slow_frame_threshold = kDefaultSlowFrame;  ///< ns, 0: off
};

struct SlotSettings : FrameSettings {
  std::string source_name;      ///< empty: the element's name
  guint quota = kDefaultQuota;  ///< 0: none
  /// Why a process-wide setting was refused, or empty; the element then does not start.
  std::string refused_cap, refused_cooldown;
};

/// Numbers of the properties, and of nothing else. An element's own follow PROP_STATS.
enum SlotProperty {
  PROP_0,
  PROP_DEVICE,
  PROP_SOURCE_NAME,
  PROP_ON_EXHAUSTED,
  PROP_TIMEOUT,
  PROP_QUOTA,
  PROP_SLOW_FRAME_THRESHOLD,
  PROP_POOL_CAP,
  PROP_POOL_COOLDOWN,
  PROP_STATS,
};

/// Adds all of them to the class of `element`, the factory's name.
void install_slot_properties(GObjectClass* object_class, const char* element);

/// Puts a process-wide setting into effect at once, in the pool. Returns why the pool refused it,
/// or an empty string; does nothing for other properties.
[[nodiscard]] std::string apply_pool_property(guint id, const GValue* value);
/// Stores the value, or for a process-wide setting `refused`, what apply_pool_property() said.
void set_slot_property(SlotSettings& settings, guint id, const GValue* value, std::string refused);
/// All but PROP_STATS.
void get_slot_property(const SlotSettings& settings, guint id, GValue* value);

}  // namespace nv12slot::gst
