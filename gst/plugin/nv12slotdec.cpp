// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-nv12slotdec
 * @title: nv12slotdec
 * @short_description: decodes into slots, on NVDEC or in software
 *
 * Decodes H.264, H.265, VP8, VP9, AV1, MPEG-2, MPEG-4 and MJPEG with FFmpeg, on NVDEC where the GPU
 * takes the stream and in software where not, and puts every picture into a slot of the
 * process-wide pool as NV12 (10-bit pictures are rounded to 8). Consumers may keep frames for as
 * long as they like; see nv12slotcopy.
 *
 * A decoder of NVDEC stays open when its camera goes, and the next camera with the same stream
 * takes it: coming back costs no opening, and going costs no closing.
 *
 * Output is CUDA memory where NVDEC decodes and downstream takes it, else system memory. The
 * element message "nv12slotdec-path" and the property "path" say what decodes and why.
 * docs/nv12slotdec.md has every property, message and field of "stats".
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 rtspsrc location=rtsp://camera/stream ! rtph264depay ! h264parse ! nv12slotdec !
 * fakesink
 * ]| Decodes a camera into slots.
 * |[
 * gst-launch-1.0 filesrc location=movie.mp4 ! qtdemux ! h264parse ! nv12slotdec force-path=software
 * ! videoconvert ! autovideosink
 * ]| Decodes in software into slots of the host.
 *
 * Since: 0.1
 */

#include "nv12slotdec.h"

#include <gst/nv12slot/nv12slotmeta.h>
#include <gst/video/video.h>

#include <utility>

#include "cudamemory.h"
#include "debug.h"
#include "decodersettings.h"
#include "decoderstats.h"
#include "downstream.h"
#include "elementdevice.h"
#include "frameformat.h"
#include "framewriter.h"
#include "nvdec.h"
#include "poolcontrol.h"
#include "slotfiller.h"
#include "slowframe.h"
#include "stream_decoder.h"
#include "streamcaps.h"

GST_DEBUG_CATEGORY_STATIC(nv12slotdec_debug);
#define GST_CAT_DEFAULT nv12slotdec_debug

#define SINK_CAPS                                                    \
  "video/x-h264,stream-format=byte-stream,alignment=au,parsed=true;" \
  "video/x-h265,stream-format=byte-stream,alignment=au,parsed=true;" \
  "video/x-vp8;video/x-vp9;"                                         \
  "video/x-av1,stream-format=obu-stream,alignment={tu,frame};"       \
  "video/mpeg,mpegversion=2,systemstream=false,parsed=true;"         \
  "video/mpeg,mpegversion=4,systemstream=false,parsed=true;"         \
  "image/jpeg"

namespace nv12slot::gst {
namespace {

using decode::Path;
using decode::Step;
using decode::StreamDecoder;

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(SINK_CAPS));
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE_WITH_FEATURES(
                                "memory:CUDAMemory", "NV12") ";" GST_VIDEO_CAPS_MAKE("NV12")));

SlotPool& pool() {
  return *Process::get().pool;
}

struct VideoStateUnref {
  void operator()(GstVideoCodecState* state) const { gst_video_codec_state_unref(state); }
};
using VideoStatePtr = std::unique_ptr<GstVideoCodecState, VideoStateUnref>;

struct CodecFrameUnref {
  void operator()(GstVideoCodecFrame* frame) const { gst_video_codec_frame_unref(frame); }
};
using CodecFramePtr = std::unique_ptr<GstVideoCodecFrame, CodecFrameUnref>;

}  // namespace

struct SlotDec {
  ElementDevice device;
  DecoderStats stats;
  Canceller canceller{pool()};
  // Of all runs: a camera that comes back has no more slots while frames of its last life are held.
  const std::shared_ptr<Quota> quota = std::make_shared<Quota>();

  // A leaf: nothing is called with it held.
  Mutex mutex;
  DecoderSettings settings NV12SLOT_GUARDED_BY(mutex);
  std::shared_ptr<Source> source NV12SLOT_GUARDED_BY(mutex);  // of this or the last run
  std::string why NV12SLOT_GUARDED_BY(mutex);                 // the path is what it is

  // Under the stream lock of GstVideoDecoder; from start to stop.
  std::unique_ptr<SlotFiller> filler;
  std::unique_ptr<FrameWriter> writer;
  std::unique_ptr<StreamDecoder> decoder;
  VideoStatePtr input_state;
  FrameFormat format;                  // of the last picture
  Path format_path = Path::kNone;      // that gave it
  Domain pushed_domain = kHostDomain;  // of the caps that downstream has
  bool takes_host = false;             // downstream does
  bool is_negotiated = false;
  bool is_discont = false;  // a frame was dropped
  bool device_lost = false;
  int told_delay = -1;         // pictures, as latency
  unsigned told_decoders = 0;  // StreamDecoder::decoders_taken() at the last message
  bool said_failed = false, said_no_host = false, said_odd = false;
};

}  // namespace nv12slot::gst

struct _GstNv12SlotDec {
  GstVideoDecoder parent;
  nv12slot::gst::SlotDec* impl;
};

G_DEFINE_FINAL_TYPE(GstNv12SlotDec, gst_nv12_slot_dec, GST_TYPE_VIDEO_DECODER)
GST_ELEMENT_REGISTER_DEFINE(nv12slotdec, "nv12slotdec", GST_RANK_NONE, GST_TYPE_NV12_SLOT_DEC)

namespace nv12slot::gst {
namespace {

SlotDec& impl_of(gpointer element) {
  return *static_cast<GstNv12SlotDec*>(element)->impl;
}

DecoderSettings settings_of(SlotDec& dec) {
  MutexLock lock(dec.mutex);
  return dec.settings;
}

GstVideoDecoderClass* parent_class() {
  return GST_VIDEO_DECODER_CLASS(gst_nv12_slot_dec_parent_class);
}

// ---- The stream that comes --------------------------------------------------------------------

bool is_live(GstVideoDecoder* decoder) {
  const QueryPtr query(gst_query_new_latency());
  gboolean live = FALSE;
  if (gst_pad_peer_query(GST_VIDEO_DECODER_SINK_PAD(decoder), query.get())) {
    gst_query_parse_latency(query.get(), &live, nullptr, nullptr);
  }
  return live != FALSE;
}

StreamDecoder::Stream stream_of(GstNv12SlotDec* self, const GstVideoCodecState* state) {
  SlotDec& dec = *self->impl;
  const DecoderSettings settings = settings_of(dec);
  StreamDecoder::Stream stream = stream_in(state->caps, state->codec_data);
  stream.device = dec.device_lost ? nullptr : dec.device.get();
  stream.force = settings.force_path;
  stream.low_latency = settings.low_latency;
  stream.threads = static_cast<int>(settings.max_threads);
  stream.frame_threads =
      !settings.low_latency && settings.max_threads != 1 && !is_live(GST_VIDEO_DECODER(self));
  return stream;
}

/// Says which path runs, once a decoder was chosen or has changed.
void tell_path(GstNv12SlotDec* self) {
  SlotDec& dec = *self->impl;
  const decode::Decoder* const decoder = dec.decoder->decoder();
  if (decoder == nullptr || dec.decoder->decoders_taken() == dec.told_decoders) return;
  dec.told_decoders = dec.decoder->decoders_taken();
  const Path path = dec.decoder->path();
  const bool warm = dec.decoder->was_warm();
  ++(warm ? dec.stats.decoders_reused : dec.stats.decoders_opened);
  const bool changed = dec.stats.path.exchange(path) != path;
  {
    MutexLock lock(dec.mutex);
    dec.why = dec.decoder->why();
  }
  GST_INFO_OBJECT(self, "decoding on %s: %s", decode::to_string(path), dec.decoder->why().c_str());
  if (changed) g_object_notify(G_OBJECT(self), "path");
  gst_element_post_message(
      GST_ELEMENT(self),
      gst_message_new_element(
          GST_OBJECT(self),
          gst_structure_new("nv12slotdec-path",                                               //
                            "path", G_TYPE_STRING, decode::to_string(path),                   //
                            "why", G_TYPE_STRING, dec.decoder->why().c_str(),                 //
                            "codec", G_TYPE_STRING, avcodec_get_name(decoder->spec().codec),  //
                            "device", G_TYPE_INT,
                            path == Path::kNvdec ? decoder->spec().device->domain() : kHostDomain,
                            "reused", G_TYPE_BOOLEAN, warm ? TRUE : FALSE, nullptr)));
}

// ---- Negotiation ------------------------------------------------------------------------------

/// Where slots are to be made, of what downstream takes; false if it takes neither.
bool choose_domain(GstNv12SlotDec* self, GstCaps* caps, Domain& domain) {
  SlotDec& dec = *self->impl;
  GstPad* const src = GST_VIDEO_DECODER_SRC_PAD(self);
  Device* const device = dec.device_lost ? nullptr : dec.device.get();
  const CapsPtr on_host = ask_for_caps(src, caps, kHostDomain);
  const CapsPtr on_device = device != nullptr ? ask_for_caps(src, caps, device->domain()) : nullptr;
  dec.takes_host = on_host != nullptr;
  if (on_host == nullptr && on_device == nullptr) return false;
  // Pictures stay where they are decoded, unless downstream would have them elsewhere.
  bool to_device = on_device != nullptr && dec.decoder->path() == Path::kNvdec;
  if (on_device != nullptr && on_host == nullptr) to_device = true;
  if (on_device != nullptr && on_host != nullptr && !to_device) {
    const CapsPtr wanted(gst_pad_peer_query_caps(src, nullptr));
    to_device = !gst_caps_is_any(wanted.get()) && caps_are_cuda(wanted.get());
  }
  domain = to_device ? device->domain() : kHostDomain;
  return true;
}

/// Tells downstream the format in the memory of `domain`, and asks what it promises for it.
bool push_caps(GstNv12SlotDec* self, Domain domain) {
  SlotDec& dec = *self->impl;
  GstVideoDecoder* const decoder = GST_VIDEO_DECODER(self);
  GstVideoInterlaceMode mode = dec.input_state->info.interlace_mode;
  if (mode == GST_VIDEO_INTERLACE_MODE_PROGRESSIVE && dec.format.is_interlaced) {
    mode = GST_VIDEO_INTERLACE_MODE_MIXED;
  }
  const VideoStatePtr state(gst_video_decoder_set_interlaced_output_state(
      decoder, GST_VIDEO_FORMAT_NV12, mode, dec.format.width, dec.format.height,
      dec.input_state.get()));
  if (state == nullptr) return false;
  complete_info(state->info, dec.input_state->info, dec.format);
  gst_clear_caps(&state->caps);
  state->caps = gst_video_info_to_caps(&state->info);
  add_hdr(state->caps, dec.format);
  if (domain != kHostDomain) {
    gst_caps_set_features_simple(state->caps, gst_caps_features_new(kCudaFeature, nullptr));
  }
  if (dec.filler->format().domain == domain) {
    dec.filler->set_format({.info = state->info, .domain = domain});
  }
  dec.pushed_domain = domain;
  dec.is_negotiated = gst_video_decoder_negotiate(decoder) != FALSE;
  return dec.is_negotiated;
}

GstFlowReturn negotiate(GstNv12SlotDec* self, const AVFrame& frame, const FrameFormat& format) {
  SlotDec& dec = *self->impl;
  if ((static_cast<guint>(frame.width) != format.width ||
       static_cast<guint>(frame.height) != format.height) &&
      frame.format != AV_PIX_FMT_CUDA && !std::exchange(dec.said_odd, true)) {
    GST_INFO_OBJECT(self,
                    "pictures of %d x %d lose their last column or row: slots have even sides",
                    frame.width, frame.height);
  }
  const CapsPtr caps(gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "NV12", "width",
                                         G_TYPE_INT, static_cast<int>(format.width), "height",
                                         G_TYPE_INT, static_cast<int>(format.height), nullptr));
  Domain domain = kHostDomain;
  if (!choose_domain(self, caps.get(), domain)) {
    if (dec.device_lost && dec.device.get() != nullptr) {
      GST_ELEMENT_ERROR(self, RESOURCE, FAILED,
                        ("CUDA device %d has failed.", dec.device.get()->domain()),
                        ("software could go on, but downstream takes no system memory"));
      return GST_FLOW_ERROR;
    }
    GST_WARNING_OBJECT(self, "downstream does not take %" GST_PTR_FORMAT, caps.get());
    return GST_FLOW_NOT_NEGOTIATED;
  }
  dec.format = format;
  dec.format_path = dec.decoder->path();
  SlotFiller::Format of_slots = dec.filler->format();
  of_slots.domain = domain;
  dec.filler->set_format(of_slots);
  if (push_caps(self, domain)) return GST_FLOW_OK;
  return GST_PAD_IS_FLUSHING(GST_VIDEO_DECODER_SRC_PAD(self)) ? GST_FLOW_FLUSHING
                                                              : GST_FLOW_NOT_NEGOTIATED;
}

gboolean slot_dec_decide_allocation(GstVideoDecoder* decoder, GstQuery* query) {
  SlotDec& dec = impl_of(decoder);
  const bool is_preferred = dec.pushed_domain == dec.filler->format().domain;
  if (is_preferred) dec.filler->set_readers_fence(gst_nv12_slot_query_has_reader(query) != FALSE);
  // Slots are leased without it; but GstVideoDecoder wants a pool, and this one holds nothing.
  GstCaps* caps = nullptr;
  gst_query_parse_allocation(query, &caps, nullptr);
  const Domain domain = dec.pushed_domain;
  GstBufferPool* const own = slot_buffer_pool_new(
      domain, domain != kHostDomain ? dec.device.ensure_context(domain) : nullptr, nullptr);
  if (own == nullptr) return FALSE;
  const ObjectPtr<GstBufferPool> owned(own);
  GstStructure* const config = gst_buffer_pool_get_config(own);
  GstVideoInfo info;
  if (caps == nullptr || !gst_video_info_from_caps(&info, caps)) {
    gst_structure_free(config);
    return FALSE;
  }
  const auto size = static_cast<guint>(info.size);
  gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
  gst_buffer_pool_set_config(own, config);
  while (gst_query_get_n_allocation_pools(query) > 0) {
    gst_query_remove_nth_allocation_pool(query, 0);
  }
  gst_query_add_allocation_pool(query, own, size, 0, 0);
  return TRUE;
}

GstCaps* slot_dec_getcaps(GstVideoDecoder* decoder, GstCaps* filter) {
  SlotDec& dec = impl_of(decoder);
  const DecoderSettings settings = settings_of(dec);
  Device* const device = GST_STATE(decoder) >= GST_STATE_READY ? dec.device.get() : nullptr;
  CapsPtr caps(gst_caps_new_empty());
  const CapsPtr all(gst_pad_get_pad_template_caps(GST_VIDEO_DECODER_SINK_PAD(decoder)));
  for (guint i = 0; i < gst_caps_get_size(all.get()); ++i) {
    const GstStructure* const structure = gst_caps_get_structure(all.get(), i);
    const AVCodecID codec = codec_of(structure);
    const bool software =
        settings.force_path != Path::kNvdec && decode::find_software_codec(codec) != nullptr;
    const bool nvdec = settings.force_path != Path::kSoftware && device != nullptr &&
                       decode::why_no_nvdec(*device, {.codec = codec}).empty();
    // Not open yet: any device may come.
    const bool unknown = GST_STATE(decoder) < GST_STATE_READY && !software;
    if (software || nvdec || unknown) {
      gst_caps_append_structure(caps.get(), gst_structure_copy(structure));
    }
  }
  return gst_video_decoder_proxy_getcaps(decoder, caps.get(), filter);
}

// ---- Pictures that come out -------------------------------------------------------------------

/// The pictures downstream is to wait for, where that has changed.
void update_latency(GstNv12SlotDec* self) {
  SlotDec& dec = *self->impl;
  const int delay = dec.decoder->decoder()->delay();
  const GstVideoInfo& info = dec.input_state->info;
  if (delay == dec.told_delay || info.fps_n <= 0 || info.fps_d <= 0) return;
  dec.told_delay = delay;
  const GstClockTime latency =
      gst_util_uint64_scale(static_cast<guint64>(delay) * GST_SECOND,
                            static_cast<guint64>(info.fps_d), static_cast<guint64>(info.fps_n));
  gst_video_decoder_set_latency(GST_VIDEO_DECODER(self), latency, latency);
}

/// Lets go of the units before `first_kept`, of which no picture comes any more.
void drop_lost_frames(GstNv12SlotDec* self, guint32 first_kept) {
  GstVideoDecoder* const decoder = GST_VIDEO_DECODER(self);
  for (bool found = true; found;) {
    const CodecFramePtr oldest(gst_video_decoder_get_oldest_frame(decoder));
    found = oldest != nullptr && oldest->system_frame_number < first_kept;
    if (found) {
      ++self->impl->stats.dropped;
      gst_video_decoder_drop_frame(decoder, gst_video_codec_frame_ref(oldest.get()));
    }
  }
}

/// The oldest unit of which a picture may still come after the unit `newest`.
guint32 oldest_awaited(GstNv12SlotDec* self, guint32 newest) {
  // H.264 and H.265 reorder 16 pictures at most.
  const auto bound = static_cast<guint32>(17 + self->impl->decoder->decoder()->delay());
  return newest > bound ? newest - bound : 0;
}

/// How long before its time the picture comes, as far as downstream has told; negative: too late.
GstClockTimeDiff time_left(GstNv12SlotDec* self, GstVideoCodecFrame* frame) {
  gboolean qos = FALSE;
  g_object_get(self, "qos", &qos, nullptr);
  // The base class remembers what downstream told without regard to the property.
  return qos != FALSE ? gst_video_decoder_get_max_decode_time(GST_VIDEO_DECODER(self), frame)
                      : G_MAXINT64;
}

/// Whether the base class would drop the picture instead of pushing it: spares the copy.
bool is_too_late(GstNv12SlotDec* self, GstVideoCodecFrame* frame) {
  const auto duration =
      GST_CLOCK_TIME_IS_VALID(frame->duration) ? static_cast<GstClockTimeDiff>(frame->duration) : 0;
  return time_left(self, frame) < -duration;
}

void count_exhausted(GstNv12SlotDec* self, const DecoderSettings& settings) {
  SlotDec& dec = *self->impl;
  ++dec.stats.exhausted;
  if (settings.on_exhausted == OnExhausted::kHost && !dec.takes_host &&
      !std::exchange(dec.said_no_host, true)) {
    GST_ELEMENT_WARNING(self, RESOURCE, NO_SPACE_LEFT,
                        ("No slot is left, and downstream takes no frames of the host."),
                        ("on-exhausted=host drops frames here, as 'drop' does"));
  }
}

/// The device does not work any more; software goes on where it may.
GstFlowReturn lose_device(GstNv12SlotDec* self, const std::string& why) {
  SlotDec& dec = *self->impl;
  const DecoderSettings settings = settings_of(dec);
  const bool may_go_on = settings.force_path != Path::kNvdec && !dec.device_lost;
  if (!may_go_on) {
    GST_ELEMENT_ERROR(self, RESOURCE, FAILED, ("The decoder or its device has failed."),
                      ("%s; frames that are out stay as they are. Restart the process if the CUDA "
                       "device does not come back",
                       why.c_str()));
    return GST_FLOW_ERROR;
  }
  GST_ELEMENT_WARNING(self, RESOURCE, FAILED, ("The CUDA device has failed; going on in software."),
                      ("%s", why.c_str()));
  dec.device_lost = true;
  dec.is_negotiated = false;
  dec.is_discont = true;
  dec.decoder->use_software("the CUDA device has failed: " + why);
  // The new decoder has nothing to refer to.
  gst_pad_push_event(GST_VIDEO_DECODER_SINK_PAD(self),
                     gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
  return GST_FLOW_OK;
}

/// Counts a picture that came into no slot; the stream goes on.
GstFlowReturn drop_picture(GstNv12SlotDec* self, GstVideoCodecFrame* frame, const Outcome& outcome,
                           const DecoderSettings& settings) {
  SlotDec& dec = *self->impl;
  GstVideoDecoder* const decoder = GST_VIDEO_DECODER(self);
  GstFlowReturn result = GST_FLOW_OK;
  switch (outcome.kind) {
    case Outcome::Kind::kFlushing:
      gst_video_decoder_release_frame(decoder, frame);
      return GST_FLOW_FLUSHING;
    case Outcome::Kind::kExhausted:
      count_exhausted(self, settings);
      break;
    default:
      ++dec.stats.failed_copies;
      if (outcome.error.code == Errc::kDeviceFailed && dec.decoder->path() == Path::kNvdec &&
          !dec.device.get()->synchronize(dec.decoder->decoder()->stream())) {
        result = lose_device(self, outcome.error.message);
      } else if (!std::exchange(dec.said_failed, true)) {
        GST_ELEMENT_WARNING(
            self, RESOURCE, FAILED, ("A frame could not be put into a slot."),
            ("%s; such frames are dropped and counted in stats", outcome.error.message.c_str()));
      }
  }
  GST_DEBUG_OBJECT(self, "frame dropped: %s", outcome.error.message.c_str());
  ++dec.stats.dropped;
  dec.is_discont = true;
  const GstFlowReturn dropped = gst_video_decoder_drop_frame(decoder, frame);
  return result != GST_FLOW_OK ? result : dropped;
}

/// Counts damaged data; an error once there was more of it than "max-errors" allows.
GstFlowReturn note_bad_data(GstNv12SlotDec* self, Step step, const std::string& why) {
  SlotDec& dec = *self->impl;
  GstFlowReturn result = GST_FLOW_OK;
  ++dec.stats.decode_errors;
  if (step == Step::kNoSurface) ++dec.stats.no_surface;
  dec.is_discont = true;
  GST_VIDEO_DECODER_ERROR(self, 1, STREAM, DECODE, ("The stream is damaged."), ("%s", why.c_str()),
                          result);
  return result;
}

/// Gives a picture out. It is empty afterwards, unless it came into no slot.
GstFlowReturn output(GstNv12SlotDec* self, decode::FramePtr& picture) {
  SlotDec& dec = *self->impl;
  GstVideoDecoder* const decoder = GST_VIDEO_DECODER(self);
  const TimePoint start = pool().clock().now();
  ++dec.stats.decoded;
  GstVideoCodecFrame* frame = gst_video_decoder_get_frame(decoder, static_cast<int>(picture->pts));
  if (frame == nullptr) {
    GST_DEBUG_OBJECT(self, "a picture without an access unit of its own");
    ++dec.stats.dropped;
    return GST_FLOW_OK;
  }
  FrameFormat format = format_of(*picture);
  // Once mixed with interlaced ones, pictures stay so in the caps.
  format.is_interlaced = format.is_interlaced || dec.format.is_interlaced;
  const guint flags = buffer_flags_of(*picture);
  if (const Result<Nv12Layout> layout = nv12_layout(format.width, format.height, 1); !layout) {
    gst_video_decoder_release_frame(decoder, frame);
    return note_bad_data(self, Step::kBadData, layout.error().message);
  }
  if (!dec.is_negotiated || !(format == dec.format) || dec.format_path != dec.decoder->path() ||
      gst_pad_check_reconfigure(GST_VIDEO_DECODER_SRC_PAD(decoder))) {
    if (const GstFlowReturn result = negotiate(self, *picture, format); result != GST_FLOW_OK) {
      gst_pad_mark_reconfigure(GST_VIDEO_DECODER_SRC_PAD(decoder));
      gst_video_decoder_release_frame(decoder, frame);
      return result;
    }
  }
  update_latency(self);
  if (is_too_late(self, frame)) {
    ++dec.stats.dropped;
    dec.is_discont = true;
    return gst_video_decoder_drop_frame(decoder, frame);
  }

  DecoderSettings settings;
  std::shared_ptr<Source> source;
  {
    MutexLock lock(dec.mutex);
    settings = dec.settings;
    source = dec.source;
  }
  Result<InFlight> in_flight = source->begin_frame();
  if (!in_flight) return drop_picture(self, frame, no_slot(in_flight.error()), settings);
  SlotFiller::Exhaustion exhaustion{settings.on_exhausted, to_duration(settings.timeout)};
  if (exhaustion.policy == OnExhausted::kHost && !dec.takes_host) {
    exhaustion.policy = OnExhausted::kDrop;
  }
  Outcome outcome =
      dec.filler->fill(std::move(in_flight).value(), frame->pts, dec.filler->format().domain,
                       exhaustion, [&](const SlotHold& hold, StreamHandle stream) {
                         return dec.writer->write(picture, *dec.decoder->decoder(), hold, stream);
                       });
  if (outcome.kind != Outcome::Kind::kFrame) {
    dec.decoder->give_back(std::move(picture));  // before its decoder is given up
    return drop_picture(self, frame, outcome, settings);
  }
  if (outcome.domain != dec.filler->format().domain) ++dec.stats.host_fallbacks;
  if (outcome.domain != dec.pushed_domain && !push_caps(self, outcome.domain)) {
    gst_video_decoder_release_frame(decoder, frame);
    return GST_PAD_IS_FLUSHING(GST_VIDEO_DECODER_SRC_PAD(decoder)) ? GST_FLOW_FLUSHING
                                                                   : GST_FLOW_NOT_NEGOTIATED;
  }
  GST_BUFFER_FLAG_SET(outcome.buffer.get(), flags);
  if ((flags & GST_BUFFER_FLAG_CORRUPTED) != 0) ++dec.stats.corrupted;
  if (std::exchange(dec.is_discont, false)) {
    GST_BUFFER_FLAG_SET(outcome.buffer.get(), GST_BUFFER_FLAG_DISCONT);
  }
  ++dec.stats.pushed;
  frame->output_buffer = outcome.buffer.release();
  const TimePoint filled = pool().clock().now();
  const GstFlowReturn result = gst_video_decoder_finish_frame(decoder, frame);
  const TimePoint end = pool().clock().now();
  if (note_if_slow(settings, *source, outcome, end - start, end - filled)) ++dec.stats.slow_frames;
  return result;
}

GstFlowReturn fail(GstNv12SlotDec* self, Step step) {
  SlotDec& dec = *self->impl;
  switch (step) {
    case Step::kExiting:
      return GST_FLOW_FLUSHING;
    case Step::kLost:
      return lose_device(self, dec.decoder->error());
    default:
      GST_ELEMENT_ERROR(self, STREAM, NOT_IMPLEMENTED, ("This stream cannot be decoded."),
                        ("%s", dec.decoder->error().c_str()));
      return GST_FLOW_ERROR;
  }
}

/// Gives out what the decoder has ready.
GstFlowReturn receive_all(GstNv12SlotDec* self) {
  SlotDec& dec = *self->impl;
  GstFlowReturn result = GST_FLOW_OK;
  while (result == GST_FLOW_OK) {
    decode::FramePtr picture;
    const Step step = dec.decoder->receive(picture);
    switch (step) {
      case Step::kFrame:
        result = output(self, picture);
        dec.decoder->give_back(std::move(picture));
        break;
      case Step::kAgain:
      case Step::kEnd:
        return GST_FLOW_OK;
      case Step::kBadData:
      case Step::kNoSurface:
        result = note_bad_data(self, step, dec.decoder->error());
        break;
      default:
        return fail(self, step);
    }
  }
  return result;
}

/// Takes all that comes of the units before `first_kept`.
GstFlowReturn drain(GstNv12SlotDec* self, guint32 first_kept = G_MAXUINT32) {
  SlotDec& dec = *self->impl;
  if (dec.decoder == nullptr || dec.decoder->decoder() == nullptr) return GST_FLOW_OK;
  const Step step = dec.decoder->send_end();
  const GstFlowReturn result =
      step == Step::kDone || step == Step::kEnd ? receive_all(self) : GST_FLOW_OK;
  dec.decoder->flush();
  if (result == GST_FLOW_OK) drop_lost_frames(self, first_kept);
  return result;
}

// ---- GstVideoDecoder --------------------------------------------------------------------------

gboolean slot_dec_set_format(GstVideoDecoder* decoder, GstVideoCodecState* state) {
  auto* self = GST_NV12_SLOT_DEC(decoder);
  SlotDec& dec = *self->impl;
  StreamDecoder::Stream stream = stream_of(self, state);
  if (!dec.decoder->is_same(stream)) {
    if (dec.input_state != nullptr) drain(self);
    dec.decoder->set_stream(std::move(stream));
  }
  dec.input_state.reset(gst_video_codec_state_ref(state));
  dec.is_negotiated = false;  // colorimetry, frame rate
  dec.format = FrameFormat();
  dec.told_delay = -1;
  return TRUE;
}

GstFlowReturn send(GstNv12SlotDec* self, const GstMapInfo& map, GstVideoCodecFrame* frame) {
  SlotDec& dec = *self->impl;
  const std::span<const std::uint8_t> data(map.data, map.size);
  GstFlowReturn result = GST_FLOW_OK;
  const bool is_key = GST_VIDEO_CODEC_FRAME_IS_SYNC_POINT(frame);
  if (is_key && dec.decoder->starts_new_format(data)) {
    result = drain(self, frame->system_frame_number);
    if (result != GST_FLOW_OK) return result;
  }
  Step step = dec.decoder->send(data, frame->system_frame_number, is_key);
  while (step == Step::kAgain && result == GST_FLOW_OK) {
    result = receive_all(self);
    if (result == GST_FLOW_OK) step = dec.decoder->send(data, frame->system_frame_number, is_key);
  }
  if (result != GST_FLOW_OK) return result;
  // What waits for a picture to begin with may have to be opened anew for it.
  const bool is_certain = step == Step::kDone || !dec.decoder->was_warm();
  if (is_certain && step != Step::kRefused && step != Step::kWaiting) tell_path(self);
  if (step == Step::kDone) return receive_all(self);
  if (step == Step::kWaiting) {
    ++dec.stats.dropped;
    gst_video_decoder_release_frame(GST_VIDEO_DECODER(self), gst_video_codec_frame_ref(frame));
    return GST_FLOW_OK;
  }
  if (step == Step::kBadData || step == Step::kNoSurface) {
    result = note_bad_data(self, step, dec.decoder->error());
    gst_video_decoder_request_sync_point(GST_VIDEO_DECODER(self), frame,
                                         static_cast<GstVideoDecoderRequestSyncPointFlags>(0));
    // Its picture does not come; what was decoded before may.
    const GstFlowReturn received = receive_all(self);
    return result != GST_FLOW_OK ? result : received;
  }
  return fail(self, step);
}

GstFlowReturn slot_dec_handle_frame(GstVideoDecoder* decoder, GstVideoCodecFrame* frame) {
  auto* self = GST_NV12_SLOT_DEC(decoder);
  SlotDec& dec = *self->impl;
  const CodecFramePtr owned(frame);
  ++dec.stats.frames;
  // The base class does not hand it on.
  if (GST_BUFFER_IS_DISCONT(frame->input_buffer)) dec.is_discont = true;
  GstMapInfo map;
  if (!gst_buffer_map(frame->input_buffer, &map, GST_MAP_READ)) {
    GST_ELEMENT_ERROR(self, RESOURCE, READ, ("An access unit cannot be read."), (nullptr));
    return GST_FLOW_ERROR;
  }
  dec.decoder->set_skips_unreferenced(time_left(self, frame) < 0);
  const guint64 errors = dec.stats.decode_errors;
  const GstFlowReturn result = send(self, map, frame);
  gst_buffer_unmap(frame->input_buffer, &map);
  if (dec.stats.decode_errors != errors && frame->output_buffer == nullptr) {
    const CodecFramePtr pending(
        gst_video_decoder_get_frame(decoder, static_cast<int>(frame->system_frame_number)));
    if (pending != nullptr) {
      gst_video_decoder_release_frame(decoder, gst_video_codec_frame_ref(pending.get()));
    }
  }
  if (dec.decoder->decoder() != nullptr) {
    drop_lost_frames(self, oldest_awaited(self, frame->system_frame_number));
  }
  return result;
}

GstFlowReturn slot_dec_finish(GstVideoDecoder* decoder) {
  return drain(GST_NV12_SLOT_DEC(decoder));
}

gboolean slot_dec_flush(GstVideoDecoder* decoder) {
  SlotDec& dec = impl_of(decoder);
  if (dec.decoder != nullptr) dec.decoder->flush();
  return TRUE;
}

gboolean slot_dec_open(GstVideoDecoder* decoder) {
  SlotDec& dec = impl_of(decoder);
  const DecoderSettings settings = settings_of(dec);
  if (!settings.refused_cache_cap.empty()) {
    GST_ELEMENT_ERROR(
        decoder, RESOURCE, SETTINGS,
        ("A setting of the decoder cache was refused: %s", settings.refused_cache_cap.c_str()),
        ("set decoder-cache-cap to a value in its range, or do not set it"));
    return FALSE;
  }
  if (!dec.device.open(GST_ELEMENT(decoder), settings)) return FALSE;
  if (settings.force_path == Path::kNvdec && dec.device.get() == nullptr) {
    GST_ELEMENT_ERROR(decoder, RESOURCE, NOT_FOUND,
                      ("force-path=nvdec, but there is no CUDA device to decode on."),
                      ("set 'device' to a CUDA device, or leave force-path alone"));
    dec.device.close();
    return FALSE;
  }
  return TRUE;
}

gboolean slot_dec_close(GstVideoDecoder* decoder) {
  impl_of(decoder).device.close();
  return TRUE;
}

gboolean slot_dec_start(GstVideoDecoder* decoder) {
  SlotDec& dec = impl_of(decoder);
  std::string name = settings_of(dec).source_name;
  if (name.empty()) {
    gchar* const element_name = gst_object_get_name(GST_OBJECT(decoder));
    name = element_name;
    g_free(element_name);
  }
  auto source = std::make_shared<Source>(pool().clock(), std::move(name), dec.quota);
  Device* const device = dec.device.get();
  dec.stats.reset();
  dec.filler = std::make_unique<SlotFiller>(SlotFiller::Run{
      .device = device,
      .context = device != nullptr ? dec.device.ensure_context(device->domain()) : nullptr,
      .source = source,
      .canceller = &dec.canceller});
  dec.writer = std::make_unique<FrameWriter>(device);
  dec.decoder = std::make_unique<StreamDecoder>(decode::DecoderCache::process());
  dec.is_negotiated = false;
  dec.is_discont = false;
  dec.device_lost = false;
  dec.told_delay = -1;
  dec.told_decoders = 0;
  dec.said_failed = dec.said_no_host = dec.said_odd = false;
  {
    MutexLock lock(dec.mutex);
    dec.source = std::move(source);
    dec.why.clear();
  }
  dec.canceller.reset();
  return TRUE;
}

gboolean slot_dec_stop(GstVideoDecoder* decoder) {
  SlotDec& dec = impl_of(decoder);
  std::shared_ptr<Source> source;
  {
    MutexLock lock(dec.mutex);
    source = dec.source;
  }
  dec.decoder.reset();  // parked
  dec.writer.reset();
  dec.filler.reset();
  dec.input_state.reset();
  if (source != nullptr) source->close();
  if (dec.stats.path.exchange(Path::kNone) != Path::kNone) {
    g_object_notify(G_OBJECT(decoder), "path");
  }
  return TRUE;
}

gboolean slot_dec_sink_event(GstVideoDecoder* decoder, GstEvent* event) {
  SlotDec& dec = impl_of(decoder);
  // Whoever waits for a slot holds the stream lock.
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START) dec.canceller.cancel();
  if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) dec.canceller.reset();
  return parent_class()->sink_event(decoder, event);
}

gboolean slot_dec_sink_query(GstVideoDecoder* decoder, GstQuery* query) {
  SlotDec& dec = impl_of(decoder);
  if (dec.device.answer(GST_ELEMENT(decoder), query, settings_of(dec).device)) return TRUE;
  return parent_class()->sink_query(decoder, query);
}

gboolean slot_dec_src_query(GstVideoDecoder* decoder, GstQuery* query) {
  SlotDec& dec = impl_of(decoder);
  if (dec.device.answer(GST_ELEMENT(decoder), query, settings_of(dec).device)) return TRUE;
  return parent_class()->src_query(decoder, query);
}

GstStateChangeReturn slot_dec_change_state(GstElement* element, GstStateChange transition) {
  // First, or the parent would wait for a thread that waits for a slot.
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) impl_of(element).canceller.cancel();
  return GST_ELEMENT_CLASS(gst_nv12_slot_dec_parent_class)->change_state(element, transition);
}

void slot_dec_set_context(GstElement* element, GstContext* context) {
  SlotDec& dec = impl_of(element);
  dec.device.set_context(element, context, settings_of(dec).device);
  GST_ELEMENT_CLASS(gst_nv12_slot_dec_parent_class)->set_context(element, context);
}

// ---- Object -----------------------------------------------------------------------------------

void slot_dec_set_property(GObject* object, guint id, const GValue* value, GParamSpec*) {
  SlotDec& dec = impl_of(object);
  if (id == PROP_DEVICE && GST_STATE(object) != GST_STATE_NULL) {
    GST_ERROR_OBJECT(object, "'device' can be set in NULL state only; it stays what it was");
    return;
  }
  DecoderSettings settings = settings_of(dec);
  set_decoder_property(settings, id, value);
  {
    MutexLock lock(dec.mutex);
    dec.settings = settings;
  }
  if (id == PROP_DEVICE) dec.device.forget_context();
  if (id == PROP_QUOTA) dec.quota->set_limit(settings.quota);
}

void slot_dec_get_property(GObject* object, guint id, GValue* value, GParamSpec*) {
  SlotDec& dec = impl_of(object);
  const DecoderSettings settings = settings_of(dec);
  if (id == PROP_PATH) {
    g_value_set_enum(value, static_cast<int>(dec.stats.path.load()));
    return;
  }
  if (id != PROP_STATS) {
    get_decoder_property(settings, id, value);
    return;
  }
  std::shared_ptr<Source> source;
  std::string why;
  {
    MutexLock lock(dec.mutex);
    source = dec.source;
    why = dec.why;
  }
  const Domain domain = dec.device.has_context() ? settings.device : kHostDomain;
  g_value_take_boxed(value, dec.stats.to_structure(why, source.get(), domain).release());
}

void slot_dec_finalize(GObject* object) {
  delete GST_NV12_SLOT_DEC(object)->impl;
  G_OBJECT_CLASS(gst_nv12_slot_dec_parent_class)->finalize(object);
}

}  // namespace
}  // namespace nv12slot::gst

static void gst_nv12_slot_dec_class_init(GstNv12SlotDecClass* klass) {
  using namespace nv12slot::gst;
  init_debug();
  GST_DEBUG_CATEGORY_INIT(nv12slotdec_debug, "nv12slotdec", 0, "Decoding into NV12 slots");

  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = slot_dec_set_property;
  object_class->get_property = slot_dec_get_property;
  object_class->finalize = slot_dec_finalize;
  install_decoder_properties(object_class, "nv12slotdec");

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = slot_dec_change_state;
  element_class->set_context = slot_dec_set_context;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "NV12 slot decoder", "Codec/Decoder/Video/Hardware",
      "Decodes with FFmpeg, on NVDEC or in software, into NV12 slots of a process-wide pool, which "
      "stay readable when the camera's pipeline is stopped or destroyed",
      "nv12slot project");

  auto* decoder_class = GST_VIDEO_DECODER_CLASS(klass);
  decoder_class->open = slot_dec_open;
  decoder_class->close = slot_dec_close;
  decoder_class->start = slot_dec_start;
  decoder_class->stop = slot_dec_stop;
  decoder_class->set_format = slot_dec_set_format;
  decoder_class->handle_frame = slot_dec_handle_frame;
  decoder_class->drain = slot_dec_finish;
  decoder_class->finish = slot_dec_finish;
  decoder_class->flush = slot_dec_flush;
  decoder_class->getcaps = slot_dec_getcaps;
  decoder_class->decide_allocation = slot_dec_decide_allocation;
  decoder_class->sink_event = slot_dec_sink_event;
  decoder_class->sink_query = slot_dec_sink_query;
  decoder_class->src_query = slot_dec_src_query;
}

static void gst_nv12_slot_dec_init(GstNv12SlotDec* self) {
  self->impl = new nv12slot::gst::SlotDec;
  GstVideoDecoder* const decoder = GST_VIDEO_DECODER(self);
  gst_video_decoder_set_packetized(decoder, TRUE);
  gst_video_decoder_set_use_default_pad_acceptcaps(decoder, TRUE);
  GST_PAD_SET_ACCEPT_TEMPLATE(GST_VIDEO_DECODER_SINK_PAD(decoder));
}
