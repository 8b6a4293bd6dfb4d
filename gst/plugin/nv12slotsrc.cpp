// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-nv12slotsrc
 * @title: nv12slotsrc
 * @short_description: a camera that comes back, decoded into slots
 *
 * Plays the first video of a URI out of slots, for ever: watchdogs notice when a camera falls
 * silent, ends, or sends what cannot be decoded, and connect anew, at once the first time and then
 * with a growing, random wait. The decoder and the slots stay what they are meanwhile, and
 * downstream sees a gap, never an end. A source that does not come down is left alone, so that
 * neither the application nor another camera waits for it.
 *
 * The element message "nv12slotsrc-status" and the properties "status", "last-outage-reason" and
 * "stats" say how the camera is. docs/nv12slotsrc.md has all of it, and what each fault looks like.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 nv12slotsrc uri=rtsp://camera/stream user-id=me user-pw=secret ! fakesink
 * ]| Plays a camera, whatever happens to it.
 * |[
 * gst-launch-1.0 -m nv12slotsrc uri=file:///tmp/camera.mp4 loop=true ! videoconvert ! autovideosink
 * ]| Plays a file again and again.
 *
 * Since: 0.1
 */

#include "nv12slotsrc.h"

#include <gst/video/video.h>

#include <atomic>
#include <string>
#include <utility>

#include "camerafeed.h"
#include "camerarun.h"
#include "camerasettings.h"
#include "debug.h"
#include "nv12slotdec.h"
#include "poolcontrol.h"
#include "sourcefault.h"

GST_DEBUG_CATEGORY(nv12slotsrc_debug);
#define GST_CAT_DEFAULT nv12slotsrc_debug

namespace nv12slot::gst {
namespace {

using camera::Fault;
using camera::Status;

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE_WITH_FEATURES(
                                "memory:CUDAMemory", "NV12") ";" GST_VIDEO_CAPS_MAKE("NV12")));

}  // namespace

struct SlotSrc {
  const std::shared_ptr<EncodedQueue> queue = std::make_shared<EncodedQueue>();
  GstElement* feed = nullptr;
  GstElement* decoder = nullptr;
  ObjectPtr<GstElement> latest;  // a queue of one frame that leaks, in the bin while latest-only
  std::atomic<guint64> into_latest{0}, out_of_latest{0};  // frames

  // A leaf: nothing is called with it held.
  Mutex mutex;
  CameraProperties properties NV12SLOT_GUARDED_BY(mutex);
  bool has_source_name NV12SLOT_GUARDED_BY(mutex) = false;
  // Of this time it plays, or of the last.
  std::shared_ptr<CameraRun> run NV12SLOT_GUARDED_BY(mutex);
  bool is_running NV12SLOT_GUARDED_BY(mutex) = false;
};

}  // namespace nv12slot::gst

struct _GstNv12SlotSrc {
  GstBin parent;
  GstPad* src;
  nv12slot::gst::SlotSrc* impl;
};

enum { SIGNAL_SOURCE_SETUP, LAST_SIGNAL };
static guint signals[LAST_SIGNAL];

G_DEFINE_FINAL_TYPE(GstNv12SlotSrc, gst_nv12_slot_src, GST_TYPE_BIN)
GST_ELEMENT_REGISTER_DEFINE(nv12slotsrc, "nv12slotsrc", GST_RANK_NONE, GST_TYPE_NV12_SLOT_SRC)

namespace nv12slot::gst {
namespace {

SlotSrc& impl_of(gpointer element) {
  return *static_cast<GstNv12SlotSrc*>(element)->impl;
}

CameraProperties properties_of(SlotSrc& src) {
  MutexLock lock(src.mutex);
  return src.properties;
}

std::shared_ptr<CameraRun> run_of(SlotSrc& src) {
  MutexLock lock(src.mutex);
  return src.run;
}

// ---- The camera -------------------------------------------------------------------------------

/// Tells the application of a change; on the camera's thread.
void tell_change(GstNv12SlotSrc* self, const CameraRun::Change& change) {
  const std::string advice = advice_for(change.fault);
  GObject* const object = G_OBJECT(self);
  if (change.status == Status::kWaiting) {
    GST_ELEMENT_WARNING(self, RESOURCE, READ, ("%s", change.text.c_str()),
                        ("%s; %s Trying again in %.1f s", camera::to_string(change.fault),
                         advice.c_str(), std::chrono::duration<double>(change.retry_in).count()));
  }
  if (change.status == Status::kFailed) {
    GST_ELEMENT_ERROR(self, RESOURCE, READ, ("%s", change.text.c_str()),
                      ("%s; %s Gave up after %u tries", camera::to_string(change.fault),
                       advice.c_str(), change.attempt - 1));
  }
  g_object_notify(object, "status");
  if (change.fault != Fault::kNone) g_object_notify(object, "last-outage-reason");
  g_object_notify(object, "stats");
  gst_element_post_message(
      GST_ELEMENT(self),
      gst_message_new_element(
          GST_OBJECT(self),
          gst_structure_new("nv12slotsrc-status",                                      //
                            "status", G_TYPE_STRING, to_string(change.status),         //
                            "reason", G_TYPE_STRING, camera::to_string(change.fault),  //
                            "text", G_TYPE_STRING, change.text.c_str(),                //
                            "advice", G_TYPE_STRING, advice.c_str(),                   //
                            "attempt", G_TYPE_UINT, change.attempt,                    //
                            "retry-in", G_TYPE_UINT64,
                            static_cast<guint64>(change.retry_in.count()), nullptr)));
}

CameraConnection::Request request_of(GstNv12SlotSrc* self) {
  const CameraProperties properties = properties_of(*self->impl);
  CameraConnection::Request request;
  request.camera = properties.camera;
  request.protocols = properties.protocols;
  request.latency = properties.latency;
  request.connect_timeout = static_cast<guint64>(properties.settings.connect_timeout.count());
  request.tls_validation_flags = properties.tls_validation_flags;
  return request;
}

/// The streams that the decoder takes; of any size and frame rate, and of none that is known: what
/// downstream takes of these is for pictures, and a camera's stream need not say its own.
CapsPtr streams_of(GstElement* decoder) {
  const ObjectPtr<GstPad> sink(gst_element_get_static_pad(decoder, "sink"));
  CapsPtr caps(gst_caps_make_writable(gst_pad_query_caps(sink.get(), nullptr)));
  for (guint i = 0; i < gst_caps_get_size(caps.get()); ++i) {
    gst_structure_remove_fields(gst_caps_get_structure(caps.get(), i), "width", "height",
                                "framerate", "pixel-aspect-ratio", "colorimetry", "chroma-site",
                                nullptr);
  }
  return caps;
}

/// False, with an error posted, where the process has no thread left.
bool start_camera(GstNv12SlotSrc* self) {
  SlotSrc& src = *self->impl;
  const CameraProperties properties = properties_of(src);
  CameraRun::Setup setup;
  setup.element = GST_ELEMENT(self);
  setup.feed = src.feed;
  setup.queue = src.queue;
  setup.supported = streams_of(src.decoder);
  setup.settings = properties.settings;
  setup.settings.is_live = properties.is_live();
  setup.request = [self] { return request_of(self); };
  setup.teardown_timeout = to_duration(properties.teardown_timeout);
  setup.changed = [self](const CameraRun::Change& change) {
    const ObjectPtr<GstNv12SlotSrc> alive(GST_NV12_SLOT_SRC(gst_object_ref(self)));
    tell_change(self, change);
  };
  std::shared_ptr<CameraRun> run;
  {
    MutexLock lock(src.mutex);
    src.run = CameraRun::start(std::move(setup));
    src.is_running = src.run != nullptr;
    run = src.run;
  }
  if (run != nullptr) return true;
  GST_ELEMENT_ERROR(self, RESOURCE, FAILED, ("The camera cannot be started."),
                    ("the process has no thread left; raise its limit (ulimit -u), or that of its "
                     "control group"));
  return false;
}

void stop_camera(GstNv12SlotSrc* self) {
  SlotSrc& src = *self->impl;
  std::shared_ptr<CameraRun> run;
  {
    MutexLock lock(src.mutex);
    if (!std::exchange(src.is_running, false)) return;
    run = src.run;
  }
  run->stop();
  g_object_notify(G_OBJECT(self), "status");
}

/// A stream that cannot be decoded is the camera's fault, and the pipeline plays on.
void note_decoder_error(GstNv12SlotSrc* self, GstMessage* message) {
  SlotSrc& src = *self->impl;
  GError* error = nullptr;
  gchar* details = nullptr;
  gst_message_parse_error(message, &error, &details);
  std::string text = error->message;
  if (details != nullptr) text += std::string(" ") + details;
  const Fault fault = error->domain == GST_STREAM_ERROR ? Fault::kUnsupported : Fault::kError;
  g_clear_error(&error);
  g_free(details);
  feed_note_decoder_error(src.feed);
  if (const auto run = run_of(src); run != nullptr) run->fault(fault, std::move(text));
}

GstPadProbeReturn frame_came(GstPad*, GstPadProbeInfo* info, gpointer data) {
  SlotSrc& src = impl_of(data);
  if (!feed_note_frame(src.feed, gst_pad_probe_info_get_buffer(info))) return GST_PAD_PROBE_OK;
  if (const auto run = run_of(src); run != nullptr) run->wake();
  return GST_PAD_PROBE_OK;
}

// ---- The bin ----------------------------------------------------------------------------------

GstPadProbeReturn count_frame(GstPad*, GstPadProbeInfo*, gpointer counter) {
  ++*static_cast<std::atomic<guint64>*>(counter);
  return GST_PAD_PROBE_OK;
}

ObjectPtr<GstElement> make_latest(SlotSrc& src) {
  GstElement* const queue = gst_element_factory_make("queue", "latest");
  if (queue == nullptr) return nullptr;
  gst_util_set_object_arg(G_OBJECT(queue), "leaky", "downstream");
  g_object_set(queue, "max-size-buffers", 1U, "max-size-bytes", 0U, "max-size-time", guint64{0},
               "silent", TRUE, nullptr);
  const ObjectPtr<GstPad> in(gst_element_get_static_pad(queue, "sink"));
  const ObjectPtr<GstPad> out(gst_element_get_static_pad(queue, "src"));
  gst_pad_add_probe(in.get(), GST_PAD_PROBE_TYPE_BUFFER, count_frame, &src.into_latest, nullptr);
  gst_pad_add_probe(out.get(), GST_PAD_PROBE_TYPE_BUFFER, count_frame, &src.out_of_latest, nullptr);
  return ObjectPtr<GstElement>(static_cast<GstElement*>(gst_object_ref_sink(queue)));
}

/// Puts the queue that keeps the latest frame behind the decoder, or takes it out. Not while
/// playing.
void use_latest(GstNv12SlotSrc* self, bool wanted) {
  SlotSrc& src = *self->impl;
  GstElement* const latest = src.latest.get();
  const bool is_there = GST_OBJECT_PARENT(latest) != nullptr;
  if (wanted == is_there) return;
  gst_ghost_pad_set_target(GST_GHOST_PAD(self->src), nullptr);
  if (wanted) {
    gst_bin_add(GST_BIN(self), latest);
    gst_element_link(src.decoder, latest);
  } else {
    gst_element_set_state(latest, GST_STATE_NULL);
    gst_bin_remove(GST_BIN(self), latest);  // unlinks it too
  }
  const ObjectPtr<GstPad> last(gst_element_get_static_pad(wanted ? latest : src.decoder, "src"));
  gst_ghost_pad_set_target(GST_GHOST_PAD(self->src), last.get());
}

guint64 dropped_by_latest(const SlotSrc& src) {
  if (src.latest == nullptr) return 0;
  guint level = 0;
  g_object_get(src.latest.get(), "current-level-buffers", &level, nullptr);
  const guint64 out = src.out_of_latest.load();
  const guint64 in = src.into_latest.load();
  return in > out + level ? in - out - level : 0;
}

/// Frames carry the camera's name, not that of a decoder within.
void name_source(GstNv12SlotSrc* self) {
  SlotSrc& src = *self->impl;
  {
    MutexLock lock(src.mutex);
    if (src.has_source_name) return;
  }
  gchar* const name = gst_object_get_name(GST_OBJECT(self));
  g_object_set(src.decoder, "source-name", name, nullptr);
  g_free(name);
}

bool prepare(GstNv12SlotSrc* self) {
  SlotSrc& src = *self->impl;
  const CameraProperties properties = properties_of(src);
  if (properties.camera.uri.empty()) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("No URI is set."),
                      ("set 'uri' to the camera's, such as rtsp://host/path"));
    return false;
  }
  if (!gst_uri_is_valid(properties.camera.uri.c_str())) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("\"%s\" is no URI.", properties.camera.uri.c_str()),
                      ("it begins with a scheme, such as rtsp:// or file://"));
    return false;
  }
  if (properties.settings.backoff_min > properties.settings.backoff_max) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("backoff-min is more than backoff-max."),
                      ("set them so that the least is not more than the most"));
    return false;
  }
  feed_set_live(src.feed, properties.is_live());
  feed_set_latency(src.feed, properties.latency);
  g_object_set(src.decoder, "discard-corrupted-frames", properties.discard_corrupted_frames,
               nullptr);
  if (properties.latest_only && src.latest == nullptr) {
    GST_ELEMENT_ERROR(self, CORE, MISSING_PLUGIN, ("GStreamer's element queue is missing."),
                      ("latest-only needs it; install its core elements"));
    return false;
  }
  if (src.latest != nullptr) use_latest(self, properties.latest_only);
  src.into_latest = 0;
  src.out_of_latest = 0;
  return true;
}

GstStateChangeReturn src_change_state(GstElement* element, GstStateChange transition) {
  auto* const self = GST_NV12_SLOT_SRC(element);
  SlotSrc& src = *self->impl;
  const bool live = properties_of(src).is_live();
  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      name_source(self);
      break;
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (!prepare(self)) return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
      if (live) stop_camera(self);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      stop_camera(self);
      break;
    default:
      break;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_nv12_slot_src_parent_class)->change_state(element, transition);
  if (result == GST_STATE_CHANGE_FAILURE) return result;
  // A camera plays now or never: what it sent while paused would come late for good.
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !live && !start_camera(self)) {
    GST_ELEMENT_CLASS(gst_nv12_slot_src_parent_class)
        ->change_state(element, GST_STATE_CHANGE_PAUSED_TO_READY);
    return GST_STATE_CHANGE_FAILURE;
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING && live && !start_camera(self)) {
    return GST_STATE_CHANGE_FAILURE;
  }
  return result;
}

void src_handle_message(GstBin* bin, GstMessage* message) {
  auto* const self = GST_NV12_SLOT_SRC(bin);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR &&
      GST_MESSAGE_SRC(message) == GST_OBJECT(self->impl->decoder) &&
      GST_STATE(self->impl->decoder) >= GST_STATE_PAUSED) {
    note_decoder_error(self, message);
    gst_message_unref(message);
    return;
  }
  GST_BIN_CLASS(gst_nv12_slot_src_parent_class)->handle_message(bin, message);
}

gboolean src_send_event(GstElement* element, GstEvent* event) {
  // The application ends the camera; its last frames still come.
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) stop_camera(GST_NV12_SLOT_SRC(element));
  return GST_ELEMENT_CLASS(gst_nv12_slot_src_parent_class)->send_event(element, event);
}

// ---- Object -----------------------------------------------------------------------------------

GstStructure* stats_of(GstNv12SlotSrc* self) {
  SlotSrc& src = *self->impl;
  CameraRun::Snapshot camera;
  if (const auto run = run_of(src); run != nullptr) camera = run->snapshot();
  const FeedStats feed = feed_stats(src.feed);
  GstStructure* of_decoder = nullptr;
  g_object_get(src.decoder, "stats", &of_decoder, nullptr);
  const StructurePtr decoder(of_decoder);
  const auto decoder_count = [&](const char* field) {
    guint64 count = 0;
    gst_structure_get_uint64(decoder.get(), field, &count);
    return count;
  };
  guint in_flight = 0;
  gst_structure_get_uint(decoder.get(), "in-flight", &in_flight);
  const auto ns = [](std::optional<Duration> duration) {
    return duration ? static_cast<guint64>(duration->count()) : GST_CLOCK_TIME_NONE;
  };
  const camera::CameraStats& stats = camera.stats;
  GstStructure* const structure = gst_structure_new(
      "application/x-nv12slotsrc-stats",                                         //
      "status", G_TYPE_STRING, to_string(camera.status),                         //
      "frames", G_TYPE_UINT64, feed.frames,                                      //
      "corrupted", G_TYPE_UINT64, feed.corrupted,                                //
      "dropped-latest", G_TYPE_UINT64, dropped_by_latest(src),                   //
      "dropped-no-slot", G_TYPE_UINT64, decoder_count("exhausted"),              //
      "packets", G_TYPE_UINT64, camera.packets,                                  //
      "bytes", G_TYPE_UINT64, camera.bytes,                                      //
      "attempts", G_TYPE_UINT64, stats.attempts,                                 //
      "outages", G_TYPE_UINT64, stats.outages,                                   //
      "reconnects", G_TYPE_UINT64, stats.reconnects,                             //
      "loops", G_TYPE_UINT64, stats.loops,                                       //
      "last-outage-reason", G_TYPE_STRING, camera::to_string(stats.last_fault),  //
      "last-outage", G_TYPE_UINT64, ns(stats.last_outage),                       //
      "longest-outage", G_TYPE_UINT64, guint64(stats.longest_outage.count()),    //
      "time-to-first-frame", G_TYPE_UINT64, ns(stats.time_to_first_frame),       //
      "path", G_TYPE_STRING, gst_structure_get_string(decoder.get(), "path"),    //
      "in-flight", G_TYPE_UINT, in_flight,                                       //
      "oldest-frame-age", G_TYPE_UINT64, decoder_count("oldest-frame-age"),      //
      "decoders-opened", G_TYPE_UINT64, decoder_count("decoders-opened"),        //
      "decoders-reused", G_TYPE_UINT64, decoder_count("decoders-reused"),        //
      "teardowns-pending", G_TYPE_UINT64, guint64{camera.teardowns_pending},     //
      "teardowns-abandoned", G_TYPE_UINT64, guint64{camera.teardowns_abandoned}, nullptr);
  for (int i = 1; i < camera::kFaults; ++i) {
    const std::string name = std::string("faults-") + camera::to_string(static_cast<Fault>(i));
    gst_structure_set(structure, name.c_str(), G_TYPE_UINT64,
                      guint64{stats.faults[static_cast<std::size_t>(i)]}, nullptr);
  }
  gst_structure_set(structure, "decoder", GST_TYPE_STRUCTURE, decoder.get(), nullptr);
  return structure;
}

void src_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  SlotSrc& src = impl_of(object);
  if (id < PROP_URI) {
    if (id == PROP_SOURCE_NAME) {
      MutexLock lock(src.mutex);
      src.has_source_name = g_value_get_string(value) != nullptr;
    }
    g_object_set_property(G_OBJECT(src.decoder), spec->name, value);
    return;
  }
  MutexLock lock(src.mutex);
  set_camera_property(src.properties, id, value);
}

void src_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
  SlotSrc& src = impl_of(object);
  if (id == PROP_STATS) {
    g_value_take_boxed(value, stats_of(GST_NV12_SLOT_SRC(object)));
  } else if (id == PROP_STATUS || id == PROP_LAST_OUTAGE_REASON) {
    CameraRun::Snapshot camera;
    if (const auto run = run_of(src); run != nullptr) camera = run->snapshot();
    g_value_set_enum(value, id == PROP_STATUS ? static_cast<int>(camera.status)
                                              : static_cast<int>(camera.stats.last_fault));
  } else if (id < PROP_URI) {
    g_object_get_property(G_OBJECT(src.decoder), spec->name, value);
  } else {
    get_camera_property(properties_of(src), id, value);
  }
}

void src_dispose(GObject* object) {
  // Only one that was never brought to NULL has a camera still.
  stop_camera(GST_NV12_SLOT_SRC(object));
  G_OBJECT_CLASS(gst_nv12_slot_src_parent_class)->dispose(object);
}

void src_finalize(GObject* object) {
  delete GST_NV12_SLOT_SRC(object)->impl;
  G_OBJECT_CLASS(gst_nv12_slot_src_parent_class)->finalize(object);
}

void build(GstNv12SlotSrc* self) {
  self->impl = new SlotSrc;
  SlotSrc& src = *self->impl;
  src.feed = feed_new(src.queue, [self](std::uint64_t connection) {
    if (const auto run = run_of(*self->impl); run != nullptr) run->ended(connection);
  });
  src.decoder = static_cast<GstElement*>(
      g_object_new(GST_TYPE_NV12_SLOT_DEC, "name", "decoder", "max-errors", -1, nullptr));
  gst_bin_add_many(GST_BIN(self), src.feed, src.decoder, nullptr);
  gst_element_link(src.feed, src.decoder);
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(src.decoder, "src"));
  gst_pad_add_probe(pad.get(), GST_PAD_PROBE_TYPE_BUFFER, frame_came, self, nullptr);
  src.latest = make_latest(src);
  const ObjectPtr<GstPadTemplate> pad_template(gst_static_pad_template_get(&src_template));
  self->src = gst_ghost_pad_new_from_template("src", pad.get(), pad_template.get());
  gst_element_add_pad(GST_ELEMENT(self), self->src);
  g_signal_connect_object(src.decoder, "notify::path",
                          G_CALLBACK(+[](GObject*, GParamSpec*, gpointer object) {
                            g_object_notify(G_OBJECT(object), "path");
                          }),
                          self, static_cast<GConnectFlags>(0));
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
  gst_bin_set_suppressed_flags(GST_BIN(self), GST_ELEMENT_FLAG_SOURCE);
}

}  // namespace
}  // namespace nv12slot::gst

static void gst_nv12_slot_src_class_init(GstNv12SlotSrcClass* klass) {
  using namespace nv12slot::gst;
  init_debug();
  GST_DEBUG_CATEGORY_INIT(nv12slotsrc_debug, "nv12slotsrc", 0, "Cameras that come back");

  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = src_set_property;
  object_class->get_property = src_get_property;
  object_class->dispose = src_dispose;
  object_class->finalize = src_finalize;
  install_camera_properties(object_class);

  /**
   * GstNv12SlotSrc::source-setup:
   * @source: the source element of a new connection, before it starts
   *
   * For settings of a source that nv12slotsrc has no property for. Emitted on a thread of the
   * connection, for each connection.
   */
  signals[SIGNAL_SOURCE_SETUP] =
      g_signal_new("source-setup", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, nullptr, nullptr,
                   nullptr, G_TYPE_NONE, 1, GST_TYPE_ELEMENT);

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = src_change_state;
  element_class->send_event = src_send_event;
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "NV12 slot camera", "Source/Video/Network",
      "Plays a camera for ever: connects anew whenever it fails, and decodes into NV12 slots of a "
      "process-wide pool, which stay readable whatever becomes of the camera",
      "nv12slot project");

  GST_BIN_CLASS(klass)->handle_message = src_handle_message;
}

static void gst_nv12_slot_src_init(GstNv12SlotSrc* self) {
  nv12slot::gst::build(self);
}
