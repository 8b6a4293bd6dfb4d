// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camerasettings.h"

#include <gio/gio.h>

#include "poolcontrol.h"

using nv12slot::camera::Fault;
using nv12slot::camera::Status;
using nv12slot::gst::Live;

static GType gst_nv12_slot_camera_status_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(Status::kStopped), "Not to play", "stopped"},
        {static_cast<int>(Status::kConnecting), "No picture of this connection yet", "connecting"},
        {static_cast<int>(Status::kPlaying), "Pictures come", "playing"},
        {static_cast<int>(Status::kWaiting), "Waits before it tries again", "waiting"},
        {static_cast<int>(Status::kFailed), "Gave up, see max-attempts", "failed"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12SlotCameraStatus", values);
  }();
  return type;
}

static GType gst_nv12_slot_camera_fault_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(Fault::kNone), "There was none", "none"},
        {static_cast<int>(Fault::kConnectTimeout), "Nothing came in connect-timeout",
         "connect-timeout"},
        {static_cast<int>(Fault::kUnreachable), "No such host, or nobody listens", "unreachable"},
        {static_cast<int>(Fault::kUnauthorized), "User or password are wrong", "unauthorized"},
        {static_cast<int>(Fault::kNotFound), "The server has no such stream", "not-found"},
        {static_cast<int>(Fault::kNoVideo), "What is offered has no video", "no-video"},
        {static_cast<int>(Fault::kUnsupported), "A video that cannot be decoded", "unsupported"},
        {static_cast<int>(Fault::kPacketTimeout), "Silent for packet-timeout", "packet-timeout"},
        {static_cast<int>(Fault::kFrameTimeout), "Data but no picture for frame-timeout",
         "frame-timeout"},
        {static_cast<int>(Fault::kEnded), "A live stream ended", "ended"},
        {static_cast<int>(Fault::kError), "Any other error", "error"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12SlotCameraFault", values);
  }();
  return type;
}

static GType gst_nv12_slot_camera_live_get_type() {
  static const GType type = [] {
    static const GEnumValue values[] = {
        {static_cast<int>(Live::kAuto), "By the URI: files and downloads are not", "auto"},
        {static_cast<int>(Live::kYes), "A camera: its end is a fault", "yes"},
        {static_cast<int>(Live::kNo), "A file: its end is the end", "no"},
        {0, nullptr, nullptr}};
    return g_enum_register_static("GstNv12SlotCameraLive", values);
  }();
  return type;
}

namespace nv12slot::gst {

using camera::Status;

namespace {

const camera::CameraSettings kDefaults;

guint64 to_ns(Duration duration) {
  return static_cast<guint64>(duration.count());
}

constexpr auto kReady =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kSecret =
    static_cast<GParamFlags>(G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
constexpr auto kRead = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

void install_time(GObjectClass* object_class, guint id, const char* name, const char* nick,
                  const char* blurb, guint64 normal) {
  g_object_class_install_property(
      object_class, id, g_param_spec_uint64(name, nick, blurb, 0, G_MAXINT64, normal, kReady));
}

void install_source_properties(GObjectClass* object_class) {
  g_object_class_install_property(
      object_class, PROP_URI,
      g_param_spec_string("uri", "URI",
                          "The camera: rtsp://, rtsps://, file://, http(s):// and what else "
                          "GStreamer has a source for. A user and password in it are taken out and "
                          "kept apart: reading gives the URI without them",
                          nullptr, kReady));
  g_object_class_install_property(
      object_class, PROP_USER_ID,
      g_param_spec_string("user-id", "User", "Who logs in; cannot be read", nullptr, kSecret));
  g_object_class_install_property(
      object_class, PROP_USER_PW,
      g_param_spec_string("user-pw", "Password", "The password; cannot be read", nullptr, kSecret));
  g_object_class_install_property(
      object_class, PROP_PROTOCOLS,
      g_param_spec_flags("protocols", "Protocols",
                         "RTSP: transports that may be used. TCP keeps packets in order and loses "
                         "none",
                         GST_TYPE_RTSP_LOWER_TRANS, GST_RTSP_LOWER_TRANS_TCP, kReady));
  install_time(object_class, PROP_LATENCY, "latency", "Latency",
               "RTSP: nanoseconds that late packets are waited for, and that a synchronized sink "
               "is behind the camera",
               kDefaultLatency);
  g_object_class_install_property(
      object_class, PROP_TLS_VALIDATION_FLAGS,
      g_param_spec_flags("tls-validation-flags", "TLS validation",
                         "rtsps and https: what is checked of a certificate; 0: nothing (for "
                         "https, anything else is all)",
                         G_TYPE_TLS_CERTIFICATE_FLAGS, kDefaultTlsValidation, kReady));
  g_object_class_install_property(
      object_class, PROP_LIVE,
      g_param_spec_enum("live", "Live",
                        "Whether the URI is a camera, which plays now or never and whose end is a "
                        "fault, or a file",
                        gst_nv12_slot_camera_live_get_type(), static_cast<int>(Live::kAuto),
                        kReady));
  g_object_class_install_property(
      object_class, PROP_LOOP,
      g_param_spec_boolean("loop", "Loop", "A file begins again at its end, with times that go on",
                           kDefaults.loops, kReady));
}

void install_watchdog_properties(GObjectClass* object_class) {
  install_time(object_class, PROP_CONNECT_TIMEOUT, "connect-timeout", "Connect time-out",
               "Nanoseconds from a try to its first data; then it has failed. 0: no limit",
               to_ns(kDefaults.connect_timeout));
  install_time(object_class, PROP_PACKET_TIMEOUT, "packet-timeout", "Packet time-out",
               "Nanoseconds without data after which a camera has failed; 0: never. Time in which "
               "downstream keeps it waiting does not count",
               to_ns(kDefaults.packet_timeout));
  install_time(object_class, PROP_FRAME_TIMEOUT, "frame-timeout", "Frame time-out",
               "Nanoseconds without a decoded frame after which a camera that sends data has "
               "failed; 0: never. To be longer than the time between key pictures",
               to_ns(kDefaults.frame_timeout));
  install_time(object_class, PROP_TEARDOWN_TIMEOUT, "teardown-timeout", "Teardown time-out",
               "Nanoseconds that a source may take to come down before it is left alone and "
               "counted; stopping the element waits as long at most. 0: it does not wait",
               kDefaultTeardownTimeout);
  install_time(object_class, PROP_BACKOFF_MIN, "backoff-min", "Least backoff",
               "Nanoseconds before a second try at least; the first one is made at once",
               to_ns(kDefaults.backoff_min));
  install_time(object_class, PROP_BACKOFF_MAX, "backoff-max", "Most backoff",
               "Nanoseconds between two tries at most; the limit doubles up to it with each try",
               to_ns(kDefaults.backoff_max));
  install_time(object_class, PROP_HEALTHY_TIME, "healthy-time", "Healthy time",
               "Nanoseconds of playing after which failures are forgotten: the next try is made at "
               "once again",
               to_ns(kDefaults.healthy_time));
  g_object_class_install_property(
      object_class, PROP_MAX_ATTEMPTS,
      g_param_spec_uint("max-attempts", "Most attempts",
                        "Tries that may fail in a row before the element gives up with an error; "
                        "0: any number for a camera, one for a file",
                        0, G_MAXUINT, kDefaults.max_attempts, kReady));
}

}  // namespace

bool CameraProperties::is_live() const {
  return live == Live::kAuto ? is_live_uri(camera.uri) : live == Live::kYes;
}

void install_camera_properties(GObjectClass* object_class) {
  install_decoder_properties(object_class, "nv12slotsrc");
  install_source_properties(object_class);
  install_watchdog_properties(object_class);
  g_object_class_install_property(
      object_class, PROP_LATEST_ONLY,
      g_param_spec_boolean("latest-only", "Latest only",
                           "A consumer that is late gets the newest decoded frame, and those "
                           "before it are dropped and counted; the camera never waits for it",
                           FALSE, kReady));
  g_object_class_install_property(
      object_class, PROP_DISCARD_CORRUPTED_FRAMES,
      g_param_spec_boolean("discard-corrupted-frames", "Discard corrupted frames",
                           "Drop frames with damage instead of marking them as corrupted", FALSE,
                           kReady));
  g_object_class_install_property(
      object_class, PROP_STATUS,
      g_param_spec_enum("status", "Status",
                        "How the camera is; the element message 'nv12slotsrc-status' tells each "
                        "change and why",
                        gst_nv12_slot_camera_status_get_type(), static_cast<int>(Status::kStopped),
                        kRead));
  g_object_class_install_property(
      object_class, PROP_LAST_OUTAGE_REASON,
      g_param_spec_enum("last-outage-reason", "Last outage's reason",
                        "Why the camera failed last since it began to play",
                        gst_nv12_slot_camera_fault_get_type(), static_cast<int>(Fault::kNone),
                        kRead));
}

void set_camera_property(CameraProperties& properties, guint id, const GValue* value) {
  camera::CameraSettings& settings = properties.settings;
  const auto text = [&] {
    const gchar* const string = g_value_get_string(value);
    return std::string(string != nullptr ? string : "");
  };
  const auto time = [&] { return to_duration(g_value_get_uint64(value)); };
  switch (id) {
    case PROP_URI: {
      CameraUri camera = split_credentials(text());
      properties.camera.uri = std::move(camera.uri);
      if (camera.user.empty()) break;
      properties.camera.user = std::move(camera.user);
      properties.camera.password = std::move(camera.password);
      break;
    }
    case PROP_USER_ID:
      properties.camera.user = text();
      break;
    case PROP_USER_PW:
      properties.camera.password = text();
      break;
    case PROP_PROTOCOLS:
      properties.protocols = static_cast<GstRTSPLowerTrans>(g_value_get_flags(value));
      break;
    case PROP_LATENCY:
      properties.latency = g_value_get_uint64(value);
      break;
    case PROP_TLS_VALIDATION_FLAGS:
      properties.tls_validation_flags = g_value_get_flags(value);
      break;
    case PROP_LIVE:
      properties.live = static_cast<Live>(g_value_get_enum(value));
      break;
    case PROP_LOOP:
      settings.loops = g_value_get_boolean(value) != FALSE;
      break;
    case PROP_CONNECT_TIMEOUT:
      settings.connect_timeout = time();
      break;
    case PROP_PACKET_TIMEOUT:
      settings.packet_timeout = time();
      break;
    case PROP_FRAME_TIMEOUT:
      settings.frame_timeout = time();
      break;
    case PROP_TEARDOWN_TIMEOUT:
      properties.teardown_timeout = g_value_get_uint64(value);
      break;
    case PROP_BACKOFF_MIN:
      settings.backoff_min = time();
      break;
    case PROP_BACKOFF_MAX:
      settings.backoff_max = time();
      break;
    case PROP_HEALTHY_TIME:
      settings.healthy_time = time();
      break;
    case PROP_MAX_ATTEMPTS:
      settings.max_attempts = g_value_get_uint(value);
      break;
    case PROP_LATEST_ONLY:
      properties.latest_only = g_value_get_boolean(value) != FALSE;
      break;
    case PROP_DISCARD_CORRUPTED_FRAMES:
      properties.discard_corrupted_frames = g_value_get_boolean(value) != FALSE;
      break;
    default:
      break;
  }
}

void get_camera_property(const CameraProperties& properties, guint id, GValue* value) {
  const camera::CameraSettings& settings = properties.settings;
  switch (id) {
    case PROP_URI:
      g_value_set_string(value,
                         properties.camera.uri.empty() ? nullptr : properties.camera.uri.c_str());
      break;
    case PROP_PROTOCOLS:
      g_value_set_flags(value, properties.protocols);
      break;
    case PROP_LATENCY:
      g_value_set_uint64(value, properties.latency);
      break;
    case PROP_TLS_VALIDATION_FLAGS:
      g_value_set_flags(value, properties.tls_validation_flags);
      break;
    case PROP_LIVE:
      g_value_set_enum(value, static_cast<int>(properties.live));
      break;
    case PROP_LOOP:
      g_value_set_boolean(value, settings.loops ? TRUE : FALSE);
      break;
    case PROP_CONNECT_TIMEOUT:
      g_value_set_uint64(value, to_ns(settings.connect_timeout));
      break;
    case PROP_PACKET_TIMEOUT:
      g_value_set_uint64(value, to_ns(settings.packet_timeout));
      break;
    case PROP_FRAME_TIMEOUT:
      g_value_set_uint64(value, to_ns(settings.frame_timeout));
      break;
    case PROP_TEARDOWN_TIMEOUT:
      g_value_set_uint64(value, properties.teardown_timeout);
      break;
    case PROP_BACKOFF_MIN:
      g_value_set_uint64(value, to_ns(settings.backoff_min));
      break;
    case PROP_BACKOFF_MAX:
      g_value_set_uint64(value, to_ns(settings.backoff_max));
      break;
    case PROP_HEALTHY_TIME:
      g_value_set_uint64(value, to_ns(settings.healthy_time));
      break;
    case PROP_MAX_ATTEMPTS:
      g_value_set_uint(value, settings.max_attempts);
      break;
    case PROP_LATEST_ONLY:
      g_value_set_boolean(value, properties.latest_only ? TRUE : FALSE);
      break;
    case PROP_DISCARD_CORRUPTED_FRAMES:
      g_value_set_boolean(value, properties.discard_corrupted_frames ? TRUE : FALSE);
      break;
    default:
      break;
  }
}

const char* to_string(Status status) {
  auto* const enum_class =
      static_cast<GEnumClass*>(g_type_class_ref(gst_nv12_slot_camera_status_get_type()));
  const char* const nick = g_enum_get_value(enum_class, static_cast<int>(status))->value_nick;
  g_type_class_unref(enum_class);
  return nick;
}

}  // namespace nv12slot::gst
