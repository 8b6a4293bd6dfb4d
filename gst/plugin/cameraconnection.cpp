// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cameraconnection.h"

#include <gio/gio.h>
#include <gst/app/gstappsink.h>
#include <gst/sdp/gstsdpmessage.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "nv12slot/thread.h"
#include "sourcefault.h"

GST_DEBUG_CATEGORY_EXTERN(nv12slotsrc_debug);
#define GST_CAT_DEFAULT nv12slotsrc_debug

namespace nv12slot::gst {
namespace {

using camera::Fault;

CapsPtr caps_of(GstPad* pad) {
  CapsPtr caps(gst_pad_get_current_caps(pad));
  if (caps == nullptr) caps.reset(gst_pad_query_caps(pad, nullptr));
  return caps;
}

bool has_property(gpointer object, const char* name) {
  return g_object_class_find_property(G_OBJECT_GET_CLASS(object), name) != nullptr;
}

/// By the names that tls-validation-flags has for them, "unknown-ca, bad-identity".
std::string flaws_of(GTlsCertificateFlags errors) {
  auto* const type = static_cast<GFlagsClass*>(g_type_class_ref(G_TYPE_TLS_CERTIFICATE_FLAGS));
  std::string flaws;
  for (guint i = 0; i < type->n_values; ++i) {
    const GFlagsValue& flaw = type->values[i];
    if ((errors & flaw.value) == 0 || flaw.value == G_TLS_CERTIFICATE_VALIDATE_ALL) continue;
    flaws += (flaws.empty() ? "" : ", ") + std::string(flaw.value_nick);
  }
  g_type_class_unref(type);
  return flaws;
}

/// What brings the codec's stream into the form that nv12slotdec takes; nullptr where it comes so.
const char* parser_for(const GstCaps* caps) {
  const GstStructure* const structure = gst_caps_get_structure(caps, 0);
  if (gst_structure_has_name(structure, "video/x-h264")) return "h264parse";
  if (gst_structure_has_name(structure, "video/x-h265")) return "h265parse";
  if (gst_structure_has_name(structure, "video/x-av1")) return "av1parse";
  if (gst_structure_has_name(structure, "video/mpeg")) {
    int version = 0;
    gst_structure_get_int(structure, "mpegversion", &version);
    return version == 4 ? "mpeg4videoparse" : "mpegvideoparse";
  }
  return nullptr;
}

/// Whether nothing has to be taken apart any more: sound, or a codec's stream that is in
/// `supported`.
bool is_elementary(const GstCaps* caps, const GstCaps* supported) {
  const GstStructure* const structure = gst_caps_get_structure(caps, 0);
  const std::string_view name = gst_structure_get_name(structure);
  if (name.starts_with("audio/")) return true;
  gboolean is_system_stream = FALSE;
  gst_structure_get_boolean(structure, "systemstream", &is_system_stream);
  for (guint i = 0; i < gst_caps_get_size(supported) && is_system_stream == FALSE; ++i) {
    if (name == gst_structure_get_name(gst_caps_get_structure(supported, i))) return true;
  }
  return false;
}

std::string to_text(const GstCaps* caps) {
  gchar* const text = gst_caps_to_string(caps);
  std::string result = text;
  g_free(text);
  return result;
}

/// Where a time of a segment stands in its stream; none for what is before it.
GstClockTime running_time(const GstSegment& segment, GstClockTime time) {
  guint64 result = 0;
  if (!GST_CLOCK_TIME_IS_VALID(time)) return GST_CLOCK_TIME_NONE;
  const int sign = gst_segment_to_running_time_full(&segment, GST_FORMAT_TIME, time, &result);
  return sign > 0 ? result : GST_CLOCK_TIME_NONE;
}

}  // namespace

template <typename Function>
void CameraConnection::connect(gpointer object, const char* signal, Function* callback) {
  g_signal_connect(object, signal, G_CALLBACK(callback), this);
}

std::shared_ptr<CameraConnection> CameraConnection::open(Request request, GstElement* element,
                                                         std::shared_ptr<EncodedQueue> queue,
                                                         CapsPtr supported, Listener listener) {
  auto connection =
      std::make_shared<CameraConnection>(Private{}, std::move(request), element, std::move(queue),
                                         std::move(supported), std::move(listener));
  // Owns itself: a thread that hangs in a source can be left alone.
  std::thread thread;
  if (start_thread(thread, ThreadName::kSource, [connection] { connection->run(); })) {
    thread.detach();
  } else {
    connection->tell(Fault::kError, "the process has no thread left");
    MutexLock lock(connection->mutex_);
    connection->closed_ = true;
  }
  return connection;
}

CameraConnection::CameraConnection(Private, Request request, GstElement* element,
                                   std::shared_ptr<EncodedQueue> queue, CapsPtr supported,
                                   Listener listener)
    : request_(std::move(request)),
      queue_(std::move(queue)),
      supported_(std::move(supported)),
      listener_(std::move(listener)) {
  g_weak_ref_init(&element_, element);
}

CameraConnection::~CameraConnection() {
  g_weak_ref_clear(&element_);
}

void CameraConnection::close() {
  MutexLock lock(mutex_);
  closing_ = true;
  listener_ = nullptr;
  changed_.notify_all();
}

bool CameraConnection::wait_closed(TimePoint until) {
  MutexLock lock(mutex_);
  while (!closed_ && steady_clock().now() < until) {
    steady_clock().wait_until(changed_, lock, until);
  }
  return closed_;
}

bool CameraConnection::is_closed() {
  MutexLock lock(mutex_);
  return closed_;
}

CameraConnection::Traffic CameraConnection::traffic() const {
  Traffic traffic;
  traffic.packets = packets_.load();
  traffic.bytes = bytes_.load();
  if (const auto first = first_.load(); first != 0) traffic.first = TimePoint(Duration(first));
  if (const auto last = last_.load(); last != 0) traffic.last = TimePoint(Duration(last));
  return traffic;
}

void CameraConnection::tell(Fault fault, std::string text) {
  Listener listener;
  {
    MutexLock lock(mutex_);
    listener = listener_;
  }
  // A source that has its credentials in the URI may show that in what it says.
  if (listener) listener(fault, hide_credentials(std::move(text), request_.camera));
}

void CameraConnection::see(std::uint64_t packets, std::uint64_t bytes) {
  const Duration::rep now = steady_clock().now().time_since_epoch().count();
  Duration::rep none = 0;
  first_.compare_exchange_strong(none, now);
  last_.store(now);
  packets_ += packets;
  bytes_ += bytes;
}

// ---- The thread -------------------------------------------------------------------------------

void CameraConnection::run() {
  if (build()) {
    // Most sources say why in a message, which comes first.
    if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
      tell(Fault::kError, "its source did not start; GST_DEBUG=2 shows what it says");
    }
  }
  {
    MutexLock lock(mutex_);
    while (!closing_) changed_.wait(lock);
  }
  if (pipeline_ != nullptr) {
    gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
    const ObjectPtr<GstBus> bus(gst_pipeline_get_bus(GST_PIPELINE(pipeline_.get())));
    gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
    pipeline_.reset();
  }
  supported_.reset();  // nothing of GStreamer's is left once it says that it is closed
  MutexLock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool CameraConnection::build() {
  GError* error = nullptr;
  const bool has_credentials = !request_.camera.user.empty();
  source_ = gst_element_make_from_uri(GST_URI_SRC, request_.camera.uri.c_str(), "source", &error);
  if (source_ == nullptr) {
    tell(Fault::kUnsupported, std::string("no source for this URI: ") +
                                  (error != nullptr ? error->message : "unknown") +
                                  "; check it, or install the plugin that reads such URIs");
    g_clear_error(&error);
    return false;
  }
  if (has_credentials && !has_property(source_, "user-id")) {
    gst_uri_handler_set_uri(GST_URI_HANDLER(source_), join_credentials(request_.camera).c_str(),
                            nullptr);
  }
  pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  sink_ = gst_element_factory_make("appsink", nullptr);
  gst_bin_add(GST_BIN(pipeline_.get()), source_);
  if (sink_ == nullptr) {
    tell(Fault::kError, "GStreamer's element appsink is missing; install its base plugins");
    return false;
  }
  gst_bin_add(GST_BIN(pipeline_.get()), sink_);
  g_object_set(sink_, "sync", FALSE, "async", FALSE, "max-buffers", 1U, "enable-last-sample", FALSE,
               "wait-on-eos", FALSE, nullptr);
  GstAppSinkCallbacks callbacks{};
  callbacks.new_sample = [](GstAppSink*, gpointer self) {
    return static_cast<CameraConnection*>(self)->take_sample();
  };
  callbacks.eos = [](GstAppSink*, gpointer data) {
    auto* const self = static_cast<CameraConnection*>(data);
    EncodedQueue::Item end;
    end.kind = EncodedQueue::Item::Kind::kOutage;
    end.connection = self->request_.number;
    [[maybe_unused]] const bool heard = self->queue_->push(std::move(end));
  };
  gst_app_sink_set_callbacks(GST_APP_SINK(sink_), &callbacks, this, nullptr);

  const ObjectPtr<GstBus> bus(gst_pipeline_get_bus(GST_PIPELINE(pipeline_.get())));
  gst_bus_set_sync_handler(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer self) {
        static_cast<CameraConnection*>(self)->handle_message(message);
        gst_message_unref(message);
        return GST_BUS_DROP;
      },
      this, nullptr);
  set_up_source();
  return true;
}

// ---- The source -------------------------------------------------------------------------------

void CameraConnection::set_up_source() {
  const bool is_rtsp = has_property(source_, "protocols") && has_property(source_, "latency");
  if (is_rtsp) set_up_rtsp();
  if (has_property(source_, "user-id")) {
    g_object_set(source_, "user-id", request_.camera.user.c_str(), "user-pw",
                 request_.camera.password.c_str(), nullptr);
  }
  if (has_property(source_, "ssl-strict")) {
    g_object_set(source_, "ssl-strict", request_.tls_validation_flags != 0, nullptr);
  }
  if (!is_rtsp && has_property(source_, "timeout") && has_property(source_, "ssl-strict")) {
    constexpr guint64 kMost = 3600;  // that souphttpsrc takes
    const guint64 seconds = (request_.connect_timeout + GST_SECOND - 1) / GST_SECOND;
    g_object_set(source_, "timeout", static_cast<guint>(std::min(seconds, kMost)), "retries", 0,
                 nullptr);
  }
  const ObjectPtr<GstElement> element(static_cast<GstElement*>(g_weak_ref_get(&element_)));
  if (element != nullptr) g_signal_emit_by_name(element.get(), "source-setup", source_);
  // Behind the application's own handler, which may accept what is refused here.
  if (is_rtsp) watch_certificates();

  connect(
      source_, "pad-added", +[](GstElement*, GstPad* pad, gpointer self) {
        static_cast<CameraConnection*>(self)->link_source_pad(pad);
      });
  connect(
      source_, "no-more-pads", +[](GstElement*, gpointer data) {
        auto* const self = static_cast<CameraConnection*>(data);
        if (!self->has_pad_.load()) self->tell_no_video();
      });
  const ObjectPtr<GstPad> pad(gst_element_get_static_pad(source_, "src"));
  if (pad != nullptr) link_source_pad(pad.get());
}

void CameraConnection::set_up_rtsp() {
  const auto latency =
      static_cast<guint>(std::min<guint64>(request_.latency / GST_MSECOND, G_MAXUINT));
  g_object_set(source_, "latency", latency, "protocols", request_.protocols, "tcp-timeout",
               static_cast<guint64>(request_.connect_timeout / GST_USECOND), "tls-validation-flags",
               request_.tls_validation_flags, nullptr);
  // The feed finds what the timestamps mean here, see StreamTime.
  gst_util_set_object_arg(G_OBJECT(source_), "buffer-mode", "none");
  connect(
      source_, "on-sdp", +[](GstElement*, GstSDPMessage* sdp, gpointer self) {
        for (guint i = 0; i < gst_sdp_message_medias_len(sdp); ++i) {
          const char* const media = gst_sdp_media_get_media(gst_sdp_message_get_media(sdp, i));
          if (g_strcmp0(media, "video") == 0) return;
        }
        static_cast<CameraConnection*>(self)->tell_no_video();
      });
  // Nothing but the first video is asked of the camera.
  connect(
      source_, "select-stream", +[](GstElement*, guint, GstCaps* caps, gpointer data) -> gboolean {
        auto* const self = static_cast<CameraConnection*>(data);
        const GstStructure* const structure = gst_caps_get_structure(caps, 0);
        return g_strcmp0(gst_structure_get_string(structure, "media"), "video") == 0 &&
               !self->has_selected_.exchange(true);
      });
  if (request_.protocols != GST_RTSP_LOWER_TRANS_TCP) return;
  // TCP keeps the order: the jitter buffer need not wait for earlier packets at the start.
  connect(
      source_, "new-manager", +[](GstElement*, GstElement* manager, gpointer self) {
        static_cast<CameraConnection*>(self)->connect(
            manager, "new-jitterbuffer",
            +[](GstElement*, GstElement* buffer, guint, guint, gpointer) {
              g_object_set(buffer, "faststart-min-packets", 1U, nullptr);
            });
      });
}

void CameraConnection::watch_certificates() {
  if (g_signal_lookup("accept-certificate", G_OBJECT_TYPE(source_)) == 0) return;
  // Called for a certificate that fails the validation asked for; rtspsrc's error does not say so.
  connect(
      source_, "accept-certificate",
      +[](GstElement*, GTlsConnection*, GTlsCertificate*, GTlsCertificateFlags errors,
          gpointer self) -> gboolean {
        static_cast<CameraConnection*>(self)->tell(
            Fault::kUnreachable, "its certificate is not accepted: " + flaws_of(errors));
        return FALSE;
      });
}

void CameraConnection::link_source_pad(GstPad* pad) {
  const CapsPtr caps = caps_of(pad);
  if (!gst_caps_is_any(caps.get()) && !gst_caps_is_empty(caps.get())) {
    const GstStructure* const structure = gst_caps_get_structure(caps.get(), 0);
    if (gst_structure_has_name(structure, "application/x-rtp") &&
        g_strcmp0(gst_structure_get_string(structure, "media"), "video") != 0) {
      return;
    }
  }
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        auto* const self = static_cast<CameraConnection*>(data);
        if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0) {
          GstBufferList* const list = gst_pad_probe_info_get_buffer_list(info);
          self->see(gst_buffer_list_length(list), gst_buffer_list_calculate_size(list));
        } else if (GstBuffer* const buffer = gst_pad_probe_info_get_buffer(info);
                   buffer != nullptr) {
          self->see(1, gst_buffer_get_size(buffer));
        }
        return GST_PAD_PROBE_OK;
      },
      this, nullptr);
  add_parsebin(pad);
}

void CameraConnection::add_parsebin(GstPad* pad) {
  has_pad_ = true;
  GstElement* const parsebin = gst_element_factory_make("parsebin", nullptr);
  if (parsebin == nullptr) {
    tell(Fault::kError, "GStreamer's element parsebin is missing; install its base plugins");
    return;
  }
  gst_bin_add(GST_BIN(pipeline_.get()), parsebin);
  // By itself it would go on to its own parsers, and refuse what no ranked decoder here takes.
  connect(
      parsebin, "autoplug-continue", +[](GstElement*, GstPad*, GstCaps* caps, gpointer data) {
        const auto* const self = static_cast<CameraConnection*>(data);
        return is_elementary(caps, self->supported_.get()) ? FALSE : TRUE;
      });
  connect(
      parsebin, "pad-added", +[](GstElement*, GstPad* added, gpointer self) {
        static_cast<CameraConnection*>(self)->take_stream(added);
      });
  connect(
      parsebin, "no-more-pads", +[](GstElement*, gpointer data) {
        auto* const self = static_cast<CameraConnection*>(data);
        if (!self->has_video_.load()) self->tell_no_video();
      });
  const ObjectPtr<GstPad> sink(gst_element_get_static_pad(parsebin, "sink"));
  if (GST_PAD_LINK_FAILED(gst_pad_link(pad, sink.get()))) {
    tell(Fault::kUnsupported,
         "the source's output " + to_text(caps_of(pad).get()) + " cannot be taken apart");
    return;
  }
  gst_element_sync_state_with_parent(parsebin);
}

void CameraConnection::take_stream(GstPad* pad) {
  const CapsPtr caps = caps_of(pad);
  if (gst_caps_is_any(caps.get()) || gst_caps_is_empty(caps.get())) return;
  const std::string_view name = gst_structure_get_name(gst_caps_get_structure(caps.get(), 0));
  const bool is_video = name.starts_with("video/") || name == "image/jpeg";
  if (!is_video || has_video_.exchange(true)) return;
  GST_DEBUG("connection %" G_GUINT64_FORMAT ": taking %" GST_PTR_FORMAT, request_.number,
            caps.get());

  // By the name alone: the parser gives what else the decoder wants.
  const CapsPtr plain(
      gst_caps_new_empty_simple(gst_structure_get_name(gst_caps_get_structure(caps.get(), 0))));
  CapsPtr wanted(gst_caps_intersect(supported_.get(), plain.get()));
  if (gst_caps_is_empty(wanted.get())) {
    tell(Fault::kUnsupported, "it sends " + to_text(caps.get()));
    return;
  }
  g_object_set(sink_, "caps", wanted.get(), nullptr);
  // parsebin's typefind goes on to push. A parser that finds itself behind a seekable file, with
  // no demuxer in between, would pull from it meanwhile.
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_QUERY_UPSTREAM,
      [](GstPad*, GstPadProbeInfo* info, gpointer) {
        GstQuery* const query = gst_pad_probe_info_get_query(info);
        if (GST_QUERY_TYPE(query) != GST_QUERY_SCHEDULING) return GST_PAD_PROBE_OK;
        gst_query_set_scheduling(query, GST_SCHEDULING_FLAG_SEQUENTIAL, 1, -1, 0);
        gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
        return GST_PAD_PROBE_HANDLED;
      },
      nullptr, nullptr);
  ObjectPtr<GstPad> last(GST_PAD(gst_object_ref(pad)));
  if (const char* const parser_name = parser_for(caps.get()); parser_name != nullptr) {
    GstElement* const parser = gst_element_factory_make(parser_name, nullptr);
    if (parser == nullptr) {
      tell(Fault::kUnsupported, std::string("GStreamer's element ") + parser_name +
                                    " is missing; install its bad plugins");
      return;
    }
    // A decoder that starts anew needs the parameter sets before each key picture.
    if (has_property(parser, "config-interval")) {
      g_object_set(parser, "config-interval", -1, nullptr);
    }
    gst_bin_add(GST_BIN(pipeline_.get()), parser);
    const ObjectPtr<GstPad> sink(gst_element_get_static_pad(parser, "sink"));
    gst_pad_link(pad, sink.get());
    gst_element_sync_state_with_parent(parser);
    last.reset(gst_element_get_static_pad(parser, "src"));
  }
  const ObjectPtr<GstPad> sink(gst_element_get_static_pad(sink_, "sink"));
  if (GST_PAD_LINK_FAILED(gst_pad_link(last.get(), sink.get()))) {
    tell(Fault::kUnsupported, "it sends " + to_text(caps.get()));
  }
}

void CameraConnection::tell_no_video() {
  tell(Fault::kNoVideo, "");
}

// ---- What comes of it -------------------------------------------------------------------------

GstFlowReturn CameraConnection::take_sample() {
  GstSample* const sample = gst_app_sink_pull_sample(GST_APP_SINK(sink_));
  if (sample == nullptr) return GST_FLOW_FLUSHING;
  const GstSegment segment = *gst_sample_get_segment(sample);
  CapsPtr caps(gst_caps_ref(gst_sample_get_caps(sample)));
  BufferPtr buffer(gst_buffer_ref(gst_sample_get_buffer(sample)));
  gst_sample_unref(sample);
  buffer.reset(gst_buffer_make_writable(buffer.release()));
  if (segment.format == GST_FORMAT_TIME) {
    GST_BUFFER_PTS(buffer.get()) = running_time(segment, GST_BUFFER_PTS(buffer.get()));
    GST_BUFFER_DTS(buffer.get()) = running_time(segment, GST_BUFFER_DTS(buffer.get()));
  }
  EncodedQueue::Item item;
  item.connection = request_.number;
  item.buffer = std::move(buffer);
  item.caps = std::move(caps);
  item.arrival = steady_clock().now();
  return queue_->push(std::move(item)) ? GST_FLOW_OK : GST_FLOW_EOS;
}

void CameraConnection::handle_message(GstMessage* message) {
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR: {
      GError* error = nullptr;
      gchar* details = nullptr;
      gst_message_parse_error(message, &error, &details);
      const std::string said = std::string(error->message) + " (" + GST_STR_NULL(details) + ")";
      GST_DEBUG("connection %" G_GUINT64_FORMAT ": %s", request_.number,
                hide_credentials(said, request_.camera).c_str());
      tell(fault_of(*error, packets_.load() != 0), said_of(*error, details));
      g_clear_error(&error);
      g_free(details);
      break;
    }
    case GST_MESSAGE_NEED_CONTEXT:
    case GST_MESSAGE_HAVE_CONTEXT: {
      const ObjectPtr<GstElement> element(static_cast<GstElement*>(g_weak_ref_get(&element_)));
      if (element != nullptr) gst_element_post_message(element.get(), gst_message_ref(message));
      break;
    }
    default:
      break;
  }
}

}  // namespace nv12slot::gst
