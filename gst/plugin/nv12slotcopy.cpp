// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-nv12slotcopy
 * @title: nv12slotcopy
 * @short_description: keeps decoded NV12 frames alive when their camera is not
 *
 * Puts every NV12 frame into a slot of the process-wide pool: memory that belongs neither to the
 * decoder nor to this element. Consumers find the frame in the buffer's #GstNv12SlotMeta and may
 * keep it for as long as they like; the camera's pipeline can be stopped, destroyed and made again
 * meanwhile, and nothing is freed, taken back or waited for.
 *
 * Input is CUDA memory (from nvh264dec, for instance) or system memory, output is CUDA memory where
 * there is a device and downstream takes it, else system memory. A decoder of gst-cuda decodes
 * straight into slots; other input is copied once.
 *
 * When no slot is to be had, "on-exhausted" says what happens to the frame; the stream goes on.
 * docs/nv12slotcopy.md has every property, message and field of "stats".
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! video/x-raw,format=NV12 ! nv12slotcopy ! fakesink
 * ]| Frames in slots of the first CUDA device, or of the host if there is none.
 * |[
 * gst-launch-1.0 filesrc location=camera.mp4 ! qtdemux ! h264parse ! nvh264dec ! nv12slotcopy
 * source-name=yard quota=8 ! cudadownload ! autovideosink
 * ]| Decodes straight into slots of the device, at most eight at a time.
 *
 * Since: 0.1
 */

#include "nv12slotcopy.h"

#include <gst/video/video.h>

#include "config.h"
#include "copystats.h"
#include "debug.h"
#include "downstream.h"
#include "elementdevice.h"
#include "offeredpools.h"
#include "poolcontrol.h"
#include "slotsettings.h"
#include "slotter.h"
#include "slowframe.h"

GST_DEBUG_CATEGORY_STATIC(nv12slotcopy_debug);
#define GST_CAT_DEFAULT nv12slotcopy_debug

#define NV12_CAPS \
  GST_VIDEO_CAPS_MAKE_WITH_FEATURES("memory:CUDAMemory", "NV12") ";" GST_VIDEO_CAPS_MAKE("NV12")

namespace nv12slot::gst {
namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(NV12_CAPS));
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(NV12_CAPS));

// Process::get().pool->clock() and the pool never change, and outlive everything.
SlotPool& pool() {
  return *Process::get().pool;
}

/// What is said once a run, however many frames it happens to.
struct Said {
  bool bad_input = false, failed = false, no_host = false;
};

}  // namespace

struct SlotCopy {
  GstPad* sink = nullptr;  // owned by the element, as are both pads
  GstPad* src = nullptr;
  OfferedPools offered{pool()};
  ElementDevice device;
  CopyStats stats;
  // Of all runs: a camera that comes back has no more slots while frames of its last life are held.
  const std::shared_ptr<Quota> quota = std::make_shared<Quota>();

  // A leaf: nothing is called with it held.
  Mutex mutex;
  SlotSettings settings NV12SLOT_GUARDED_BY(mutex);
  std::shared_ptr<Source> source NV12SLOT_GUARDED_BY(mutex);  // of this or the last run

  // Of the streaming thread, and of state changes while there is none.
  std::unique_ptr<Slotter> slotter;
  CapsPtr device_caps, host_caps;      // what downstream takes; empty: nothing
  Domain pushed_domain = kHostDomain;  // of the caps that downstream has
  bool is_negotiated = false;
  bool is_discont = false;  // a frame was dropped
  Said said;
};

}  // namespace nv12slot::gst

struct _GstNv12SlotCopy {
  GstElement parent;
  nv12slot::gst::SlotCopy* impl;
};

G_DEFINE_FINAL_TYPE(GstNv12SlotCopy, gst_nv12_slot_copy, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(nv12slotcopy, "nv12slotcopy", GST_RANK_NONE, GST_TYPE_NV12_SLOT_COPY)

namespace nv12slot::gst {
namespace {

SlotCopy& impl_of(gpointer element) {
  return *static_cast<GstNv12SlotCopy*>(element)->impl;
}

SlotSettings settings_of(SlotCopy& copy) {
  MutexLock lock(copy.mutex);
  return copy.settings;
}

// ---- Context, pools offered upstream ----------------------------------------------------------

void slot_copy_set_context(GstElement* element, GstContext* context) {
  SlotCopy& copy = impl_of(element);
  copy.device.set_context(element, context, settings_of(copy).device);
  GST_ELEMENT_CLASS(gst_nv12_slot_copy_parent_class)->set_context(element, context);
}

guint64 pool_timeout(const SlotSettings& settings) {
  return settings.on_exhausted == OnExhausted::kBlock ? settings.timeout : 0;
}

/// A pool of the device for a decoder upstream; empty if it is of no use to it.
ObjectPtr<GstBufferPool> offer_pool(SlotCopy& copy, GstCaps* caps) {
  if (copy.device_caps == nullptr || !caps_are_cuda(caps)) return nullptr;
  const Domain domain = copy.device.get()->domain();
  return ObjectPtr<GstBufferPool>(slot_buffer_pool_new(domain, copy.device.ensure_context(domain),
                                                       copy.offered.offer(copy.quota)));
}

gboolean answer_allocation(SlotCopy& copy, GstQuery* query) {
  GstCaps* caps = nullptr;
  gst_query_parse_allocation(query, &caps, nullptr);
  GstVideoInfo info;
  if (caps == nullptr || !gst_video_info_from_caps(&info, caps)) return FALSE;
  if (!copy.is_negotiated) return FALSE;
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
  if (ObjectPtr<GstBufferPool> offered = offer_pool(copy, caps)) {
    // The pool says its true size when it is configured.
    gst_query_add_allocation_pool(query, offered.get(), static_cast<guint>(info.size), 0, 0);
  }
  return TRUE;
}

// ---- Negotiation ------------------------------------------------------------------------------

bool has_even_size(GstNv12SlotCopy* self, const GstCaps* caps) {
  const GstStructure* structure = gst_caps_get_structure(caps, 0);
  int width = 0;
  int height = 0;
  gst_structure_get(structure, "width", G_TYPE_INT, &width, "height", G_TYPE_INT, &height, nullptr);
  const bool positive = width > 0 && height > 0;
  const Result<Nv12Layout> layout =
      nv12_layout(positive ? static_cast<std::uint32_t>(width) : 0,
                  positive ? static_cast<std::uint32_t>(height) : 0, 1);
  if (layout) return true;
  GST_ELEMENT_ERROR(self, STREAM, FORMAT,
                    ("Pictures of %d x %d pixels do not fit into NV12 slots.", width, height),
                    ("%s; scale or crop them to even sides of 2 to %u pixels before nv12slotcopy",
                     layout.error().message.c_str(), kMaxSide));
  return false;
}

/// Tells downstream which memory follows, and asks what it promises for it.
bool push_caps(SlotCopy& copy, Domain domain) {
  GstCaps* const caps = domain == kHostDomain ? copy.host_caps.get() : copy.device_caps.get();
  copy.slotter->filler().set_readers_fence(false);  // frames of other caps are the exception
  if (!gst_pad_push_event(copy.src, gst_event_new_caps(caps))) return false;
  copy.pushed_domain = domain;
  if (domain == copy.slotter->filler().format().domain) {
    copy.slotter->filler().set_readers_fence(ask_for_promise(copy.src, caps));
  }
  return true;
}

/// Chooses where slots are made, from what downstream takes of `caps`, and tells it.
GstFlowReturn negotiate(GstNv12SlotCopy* self, GstCaps* caps) {
  SlotCopy& copy = *self->impl;
  copy.is_negotiated = false;
  gst_pad_check_reconfigure(copy.src);  // whatever was asked for happens now
  if (!has_even_size(self, caps)) return GST_FLOW_NOT_NEGOTIATED;
  SlotFiller::Format format;
  if (!gst_video_info_from_caps(&format.info, caps)) return GST_FLOW_NOT_NEGOTIATED;

  Device* const device = copy.device.get();
  copy.device_caps = device != nullptr ? ask_for_caps(copy.src, caps, device->domain()) : nullptr;
  copy.host_caps = ask_for_caps(copy.src, caps, kHostDomain);
  if (copy.device_caps == nullptr && copy.host_caps == nullptr) {
    GST_WARNING_OBJECT(self, "downstream does not take %" GST_PTR_FORMAT, caps);
    return GST_FLOW_NOT_NEGOTIATED;
  }
  format.domain = copy.device_caps != nullptr ? device->domain() : kHostDomain;
  copy.slotter->filler().set_format(format);
  if (!push_caps(copy, format.domain)) {
    return GST_PAD_IS_FLUSHING(copy.src) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
  }
  copy.is_negotiated = true;
  return GST_FLOW_OK;
}

/// What `pad` may have: what the pad on the other side may, in either memory.
CapsPtr possible_caps(SlotCopy& copy, GstPad* pad, const GstCaps* filter) {
  GstPad* const other = pad == copy.sink ? copy.src : copy.sink;
  const bool is_open = GST_STATE(GST_PAD_PARENT(pad)) >= GST_STATE_READY;
  const bool cuda = !is_open || settings_of(copy).device != kHostDomain;
  const bool has_device = copy.device.has_context();
  const CapsPtr own(gst_pad_get_pad_template_caps(pad));
  const CapsPtr peer(gst_pad_peer_query_caps(other, own.get()));
  CapsPtr result = caps_in_both_memories(peer.get(), cuda && (has_device || !is_open));
  if (filter != nullptr) {
    // The filter's order is the asker's preference.
    result.reset(gst_caps_intersect_full(const_cast<GstCaps*>(filter), result.get(),
                                         GST_CAPS_INTERSECT_FIRST));
  }
  return result;
}

/// Any size: what is wrong with one is said by an error of the element, at the CAPS event.
bool accepts_caps(SlotCopy& copy, const GstCaps* caps) {
  CapsPtr without_size(gst_caps_copy(caps));
  for (guint i = 0; i < gst_caps_get_size(without_size.get()); ++i) {
    GstStructure* structure = gst_caps_get_structure(without_size.get(), i);
    gst_structure_remove_fields(structure, "width", "height", nullptr);
  }
  const CapsPtr own(gst_pad_get_pad_template_caps(copy.sink));
  if (!gst_caps_can_intersect(without_size.get(), own.get())) return false;
  return copy.device.get() != nullptr || !caps_are_cuda(caps);
}

gboolean slot_copy_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  SlotCopy& copy = impl_of(parent);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CONTEXT:
      if (copy.device.answer(GST_ELEMENT(parent), query, settings_of(copy).device)) return TRUE;
      break;
    case GST_QUERY_CAPS: {
      GstCaps* filter = nullptr;
      gst_query_parse_caps(query, &filter);
      gst_query_set_caps_result(query, possible_caps(copy, pad, filter).get());
      return TRUE;
    }
    case GST_QUERY_ACCEPT_CAPS: {
      if (pad != copy.sink) break;
      GstCaps* caps = nullptr;
      gst_query_parse_accept_caps(query, &caps);
      gst_query_set_accept_caps_result(query, accepts_caps(copy, caps));
      return TRUE;
    }
    case GST_QUERY_ALLOCATION:
      if (pad == copy.sink) return answer_allocation(copy, query);
      break;
    default:
      break;
  }
  return gst_pad_query_default(pad, parent, query);
}

// ---- Streaming --------------------------------------------------------------------------------

gboolean slot_copy_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  SlotCopy& copy = impl_of(parent);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      const GstFlowReturn result = negotiate(GST_NV12_SLOT_COPY(parent), caps);
      gst_event_unref(event);
      return result == GST_FLOW_OK;
    }
    case GST_EVENT_FLUSH_START:
      copy.offered.set_flushing(true);
      break;
    case GST_EVENT_FLUSH_STOP:
      copy.slotter->release_inputs(true);
      copy.offered.set_flushing(false);
      break;
    case GST_EVENT_EOS:
      copy.slotter->release_inputs(true);
      break;
    default:
      break;
  }
  return gst_pad_event_default(pad, parent, event);
}

void count_path(CopyStats& stats, Path path) {
  stats.path = path;
  switch (path) {
    case Path::kDirect:
      ++stats.direct;
      break;
    case Path::kCopy:
      ++stats.copied;
      break;
    case Path::kPassThrough:
      ++stats.passed_through;
      break;
    case Path::kNone:
      break;
  }
}

/// Counts a frame that has come to nothing, and says so where it is worth saying.
GstFlowReturn drop(GstNv12SlotCopy* self, const Outcome& outcome, const FrameSettings& settings) {
  SlotCopy& copy = *self->impl;
  const char* const why = outcome.error.message.c_str();
  switch (outcome.kind) {
    case Outcome::Kind::kFlushing:
      return GST_FLOW_FLUSHING;
    case Outcome::Kind::kForeign:
      GST_ELEMENT_ERROR(
          self, RESOURCE, SETTINGS,
          ("The frames are in another CUDA context than the slots of device %d.", settings.device),
          ("set 'device' to the device upstream uses; where the application gives GStreamer a CUDA "
           "context, give it gst_nv12_slot_cuda_context(), which wraps the primary one"));
      return GST_FLOW_ERROR;
    case Outcome::Kind::kExhausted:
      ++copy.stats.exhausted;
      if (settings.on_exhausted == OnExhausted::kHost && copy.host_caps == nullptr &&
          !std::exchange(copy.said.no_host, true)) {
        GST_ELEMENT_WARNING(self, RESOURCE, NO_SPACE_LEFT,
                            ("No slot is left, and downstream takes no frames of the host."),
                            ("on-exhausted=host drops frames here, as 'drop' does"));
      }
      break;
    case Outcome::Kind::kBadInput:
      ++copy.stats.bad_inputs;
      if (!std::exchange(copy.said.bad_input, true)) {
        GST_ELEMENT_WARNING(self, STREAM, FORMAT, ("A buffer is no whole NV12 picture."),
                            ("%s; such buffers are dropped and counted in stats", why));
      }
      break;
    case Outcome::Kind::kFailed:
      ++copy.stats.failed_copies;
      if (!std::exchange(copy.said.failed, true)) {
        GST_ELEMENT_WARNING(self, RESOURCE, FAILED, ("A frame could not be put into a slot."),
                            ("%s; such frames are dropped and counted in stats", why));
      }
      break;
    case Outcome::Kind::kFrame:
      g_assert_not_reached();
  }
  GST_DEBUG_OBJECT(self, "frame dropped: %s", why);
  ++copy.stats.dropped;
  copy.is_discont = true;
  return GST_FLOW_OK;
}

GstFlowReturn push(GstNv12SlotCopy* self, Slotted& slotted) {
  SlotCopy& copy = *self->impl;
  Outcome& outcome = slotted.outcome;
  count_path(copy.stats, slotted.path);
  if (outcome.domain != copy.slotter->filler().format().domain) ++copy.stats.host_fallbacks;
  if (outcome.domain != copy.pushed_domain && !push_caps(copy, outcome.domain)) {
    return GST_PAD_IS_FLUSHING(copy.src) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
  }
  if (std::exchange(copy.is_discont, false)) {
    GST_BUFFER_FLAG_SET(outcome.buffer.get(), GST_BUFFER_FLAG_DISCONT);
  }
#ifdef NV12SLOT_GPU_DEBUG
  GST_LOG_OBJECT(self, "%s on %d: %" GST_PTR_FORMAT, to_string(slotted.path), outcome.domain,
                 outcome.buffer.get());
#endif
  return gst_pad_push(copy.src, outcome.buffer.release());
}

GstFlowReturn slot_copy_chain(GstPad* pad, GstObject* parent, GstBuffer* buffer) {
  BufferPtr input(buffer);
  auto* self = GST_NV12_SLOT_COPY(parent);
  SlotCopy& copy = *self->impl;
  if (!copy.is_negotiated || gst_pad_check_reconfigure(copy.src)) {
    const CapsPtr caps(gst_pad_get_current_caps(pad));
    const GstFlowReturn result =
        caps != nullptr ? negotiate(self, caps.get()) : GST_FLOW_NOT_NEGOTIATED;
    if (result != GST_FLOW_OK) {
      gst_pad_mark_reconfigure(copy.src);
      return result;
    }
  }

  FrameSettings settings;
  std::shared_ptr<Source> source;
  {
    MutexLock lock(copy.mutex);
    settings = copy.settings;
    source = copy.source;
  }
  SlotFiller::Exhaustion exhaustion{settings.on_exhausted, to_duration(settings.timeout)};
  if (exhaustion.policy == OnExhausted::kHost && copy.host_caps == nullptr) {
    exhaustion.policy = OnExhausted::kDrop;
  }
  ++copy.stats.frames;
  const TimePoint start = pool().clock().now();
  Slotted slotted = copy.slotter->process(std::move(input), exhaustion);
  const Outcome& outcome = slotted.outcome;
  const TimePoint processed = pool().clock().now();
  const GstFlowReturn result =
      outcome.kind == Outcome::Kind::kFrame ? push(self, slotted) : drop(self, outcome, settings);
  const TimePoint end = pool().clock().now();
  if (note_if_slow(settings, *source, outcome, end - start, end - processed)) {
    ++copy.stats.slow_frames;
  }
  return result;
}

// ---- State ------------------------------------------------------------------------------------

void start(GstNv12SlotCopy* self) {
  SlotCopy& copy = *self->impl;
  const SlotSettings settings = settings_of(copy);
  std::string name = settings.source_name;
  if (name.empty()) {
    gchar* element_name = gst_object_get_name(GST_OBJECT(self));
    name = element_name;
    g_free(element_name);
  }
  auto source = std::make_shared<Source>(pool().clock(), std::move(name), copy.quota);
  copy.stats.reset();
  copy.said = Said();
  copy.is_negotiated = false;
  copy.is_discont = false;
  Device* const device = copy.device.get();
  copy.slotter = std::make_unique<Slotter>(SlotFiller::Run{
      .device = device,
      .context = device != nullptr ? copy.device.ensure_context(device->domain()) : nullptr,
      .source = source,
      .canceller = &copy.offered.canceller()});
  {
    MutexLock lock(copy.mutex);
    copy.source = std::move(source);
  }
  copy.offered.set_flushing(false);
  copy.offered.set_stopped(false);
}

/// After the pads are inactive.
void stop(SlotCopy& copy) {
  std::shared_ptr<Source> source;
  {
    MutexLock lock(copy.mutex);
    source = copy.source;
  }
  copy.slotter.reset();
  copy.device_caps.reset();
  copy.host_caps.reset();
  source->close();
}

GstStateChangeReturn slot_copy_change_state(GstElement* element, GstStateChange transition) {
  auto* self = GST_NV12_SLOT_COPY(element);
  SlotCopy& copy = *self->impl;
  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY:
      if (!copy.device.open(element, settings_of(copy))) return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      start(self);
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      // First, or the parent would wait for a thread that waits for a slot.
      copy.offered.set_stopped(true);
      break;
    default:
      break;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_nv12_slot_copy_parent_class)->change_state(element, transition);
  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (result == GST_STATE_CHANGE_FAILURE) {
        copy.offered.set_stopped(true);
        stop(copy);
      }
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      stop(copy);
      break;
    case GST_STATE_CHANGE_READY_TO_NULL:
      copy.device.close();
      break;
    default:
      break;
  }
  return result;
}

// ---- Object -----------------------------------------------------------------------------------

void slot_copy_set_property(GObject* object, guint id, const GValue* value, GParamSpec*) {
  SlotCopy& copy = impl_of(object);
  if (id == PROP_DEVICE && GST_STATE(object) != GST_STATE_NULL) {
    GST_ERROR_OBJECT(object, "'device' can be set in NULL state only; it stays what it was");
    return;
  }
  std::string refused = apply_pool_property(id, value);
  {
    MutexLock lock(copy.mutex);
    set_slot_property(copy.settings, id, value, std::move(refused));
  }
  if (id == PROP_DEVICE) copy.device.forget_context();
  if (id == PROP_QUOTA) copy.quota->set_limit(settings_of(copy).quota);
  if (id == PROP_TIMEOUT || id == PROP_ON_EXHAUSTED) {
    copy.offered.set_timeout(pool_timeout(settings_of(copy)));
  }
}

void slot_copy_get_property(GObject* object, guint id, GValue* value, GParamSpec*) {
  SlotCopy& copy = impl_of(object);
  const SlotSettings settings = settings_of(copy);
  if (id != PROP_STATS) {
    get_slot_property(settings, id, value);
    return;
  }
  std::shared_ptr<Source> source;
  {
    MutexLock lock(copy.mutex);
    source = copy.source;
  }
  const Domain domain = copy.device.has_context() ? settings.device : kHostDomain;
  g_value_take_boxed(value, copy.stats.to_structure(source.get(), domain).release());
}

void slot_copy_finalize(GObject* object) {
  delete GST_NV12_SLOT_COPY(object)->impl;
  G_OBJECT_CLASS(gst_nv12_slot_copy_parent_class)->finalize(object);
}

}  // namespace
}  // namespace nv12slot::gst

static void gst_nv12_slot_copy_class_init(GstNv12SlotCopyClass* klass) {
  using namespace nv12slot::gst;
  init_debug();
  GST_DEBUG_CATEGORY_INIT(nv12slotcopy_debug, "nv12slotcopy", 0, "Frames into NV12 slots");

  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = slot_copy_set_property;
  object_class->get_property = slot_copy_get_property;
  object_class->finalize = slot_copy_finalize;
  install_slot_properties(object_class, "nv12slotcopy");

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = slot_copy_change_state;
  element_class->set_context = slot_copy_set_context;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "NV12 slot copy", "Filter/Video/Hardware",
      "Puts NV12 frames (CUDA memory or system memory) into slots of a process-wide pool, on the "
      "GPU or the host, which stay readable when the camera's pipeline is stopped or destroyed",
      "nv12slot project");
}

static void gst_nv12_slot_copy_init(GstNv12SlotCopy* self) {
  using namespace nv12slot::gst;
  self->impl = new SlotCopy;
  self->impl->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  self->impl->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_chain_function(self->impl->sink, slot_copy_chain);
  gst_pad_set_event_function(self->impl->sink, slot_copy_sink_event);
  gst_pad_set_query_function(self->impl->sink, slot_copy_query);
  gst_pad_set_query_function(self->impl->src, slot_copy_query);
  gst_element_add_pad(GST_ELEMENT(self), self->impl->sink);
  gst_element_add_pad(GST_ELEMENT(self), self->impl->src);
}
