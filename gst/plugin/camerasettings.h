// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>
#include <gst/rtsp/gstrtsptransport.h>

#include "camera_state.h"
#include "camerauri.h"
#include "decodersettings.h"

// The properties of nv12slotsrc, apart from what it does with them. Those of nv12slotdec are among
// them, and are its decoder's.
namespace nv12slot::gst {

enum class Live { kAuto, kYes, kNo };

inline constexpr guint64 kDefaultLatency = 200 * GST_MSECOND;
inline constexpr guint kDefaultTlsValidation = 0x7f;  // G_TLS_CERTIFICATE_VALIDATE_ALL
inline constexpr guint64 kDefaultTeardownTimeout = 500 * GST_MSECOND;

struct CameraProperties {
  CameraUri camera;
  GstRTSPLowerTrans protocols = GST_RTSP_LOWER_TRANS_TCP;
  guint64 latency = kDefaultLatency;
  guint tls_validation_flags = kDefaultTlsValidation;
  Live live = Live::kAuto;
  guint64 teardown_timeout = kDefaultTeardownTimeout;
  bool latest_only = false;
  bool discard_corrupted_frames = false;
  camera::CameraSettings settings;  ///< is_live is what `live` and the URI make of it

  [[nodiscard]] bool is_live() const;
};

enum CameraProperty {
  PROP_URI = PROP_DECODER_CACHE_TIMEOUT + 1,
  PROP_USER_ID,
  PROP_USER_PW,
  PROP_PROTOCOLS,
  PROP_LATENCY,
  PROP_TLS_VALIDATION_FLAGS,
  PROP_LIVE,
  PROP_LOOP,
  PROP_CONNECT_TIMEOUT,
  PROP_PACKET_TIMEOUT,
  PROP_FRAME_TIMEOUT,
  PROP_TEARDOWN_TIMEOUT,
  PROP_BACKOFF_MIN,
  PROP_BACKOFF_MAX,
  PROP_HEALTHY_TIME,
  PROP_MAX_ATTEMPTS,
  PROP_LATEST_ONLY,
  PROP_DISCARD_CORRUPTED_FRAMES,
  PROP_STATUS,
  PROP_LAST_OUTAGE_REASON,
};

void install_camera_properties(GObjectClass* object_class);
void set_camera_property(CameraProperties& properties, guint id, const GValue* value);
/// Those of CameraProperties.
void get_camera_property(const CameraProperties& properties, guint id, GValue* value);
/// The nicks of the enumerations, as in messages.
[[nodiscard]] const char* to_string(camera::Status status);

}  // namespace nv12slot::gst
