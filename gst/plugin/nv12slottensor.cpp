// SPDX-License-Identifier: LGPL-2.1-or-later

/**
 * SECTION:element-nv12slottensor
 * @title: nv12slottensor
 * @short_description: makes tensors of the NV12 frames of any number of cameras
 *
 * Turns frames in slots (and any other NV12 picture) into the input of an inference engine: scaled,
 * letterboxed, converted to RGB or BGR and normalised by one kernel that reads the frame in place
 * and writes the finished tensor, or by the CPU where there is no device. Frames of several
 * cameras, one a request pad, are collected into batches. A camera that hangs or goes holds nobody
 * up.
 *
 * The output is other/tensors with one static tensor, as NNStreamer reads it, in memory of the
 * device where downstream takes it, else in system memory. #GstNv12TensorMeta says which frame is
 * at which place of the batch, and how to map a box in the tensor back to the picture.
 *
 * docs/nv12slottensor.md has every property and field of "stats".
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=100 ! video/x-raw,format=NV12,width=1280,height=720 !
 * nv12slotcopy ! nv12slottensor width=640 height=640 ! fakesink
 * ]| One tensor a frame, 1x3x640x640 floats from 0 to 1.
 * |[
 * gst-launch-1.0 nv12slottensor name=t batch-size=2 dtype=f16 ! fakesink
 * videotestsrc is-live=true num-buffers=100 ! video/x-raw,format=NV12 ! nv12slotcopy ! t.
 * videotestsrc is-live=true num-buffers=100 ! video/x-raw,format=NV12 ! nv12slotcopy ! t.
 * ]| Frames of two cameras in one tensor.
 *
 * Since: 0.1
 */

#include "nv12slottensor.h"

#include <gst/nv12slot/nv12slotmeta.h>
#include <gst/video/video.h>

#include "config.h"
#include "debug.h"
#include "downstream.h"
#include "elementdevice.h"
#include "poolcontrol.h"
#include "slotfiller.h"
#include "tensormaker.h"
#include "tensorqueue.h"
#include "tensorsettings.h"
#include "tensorstats.h"

GST_DEBUG_CATEGORY_STATIC(nv12slottensor_debug);
#define GST_CAT_DEFAULT nv12slottensor_debug

#define NV12_CAPS \
  GST_VIDEO_CAPS_MAKE_WITH_FEATURES("memory:CUDAMemory", "NV12") ";" GST_VIDEO_CAPS_MAKE("NV12")
#define TENSOR_FIELDS                                                           \
  "format = (string) static, num_tensors = (int) 1, types = (string) { uint8, " \
  "float16, float32 }, framerate = (fraction) [ 0, max ]"
#define TENSOR_CAPS \
  "other/tensors(memory:CUDAMemory), " TENSOR_FIELDS "; other/tensors, " TENSOR_FIELDS

namespace nv12slot::gst {
namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS(NV12_CAPS));
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(TENSOR_CAPS));

SlotPool& pool() {
  return *Process::get().pool;
}

/// What a sink pad knows. Of its streaming thread, and of whoever holds its stream lock.
struct SinkPad {
  GstVideoInfo info{};
  bool has_caps = false;
  GstSegment segment{};
};

/// What is said once a run, however many pictures it happens to.
struct Said {
  bool bad_input = false, no_slot = false, failed = false;
};

}  // namespace

// Threads: each sink pad's streaming thread hands pictures to `queue`; the task of the source pad
// takes them out, makes tensors and pushes them. Locks: `mutex` and the queue's are leaves.
struct SlotTensor {
  GstPad* src = nullptr;  // owned by the element
  ElementDevice device;
  TensorQueue queue{pool().clock()};
  Canceller canceller{pool()};
  TensorStats stats;
  std::atomic<GstFlowReturn> flow{GST_FLOW_OK};  // what downstream said last

  Mutex mutex;
  TensorSettings settings NV12SLOT_GUARDED_BY(mutex);
  std::string refused NV12SLOT_GUARDED_BY(mutex);  // why a property's value was not taken, or empty
  std::shared_ptr<Source> source NV12SLOT_GUARDED_BY(mutex);  // of this or the last run
  unsigned next_pad NV12SLOT_GUARDED_BY(mutex) = 0;
  unsigned pads NV12SLOT_GUARDED_BY(mutex) = 0;

  // Of the task, and of state changes and flushes while it does not run.
  std::unique_ptr<TensorMaker> maker;
  bool has_started = false;  // stream-start was sent
  bool has_segment = false;  // and since the last flush, a segment
  bool is_negotiated = false;
  bool on_device = false;  // what downstream takes
  Said said;
};

}  // namespace nv12slot::gst

struct _GstNv12SlotTensor {
  GstElement parent;
  nv12slot::gst::SlotTensor* impl;
};

G_DEFINE_FINAL_TYPE(GstNv12SlotTensor, gst_nv12_slot_tensor, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(nv12slottensor, "nv12slottensor", GST_RANK_NONE,
                            GST_TYPE_NV12_SLOT_TENSOR)

namespace nv12slot::gst {
namespace {

SlotTensor& impl_of(gpointer element) {
  return *static_cast<GstNv12SlotTensor*>(element)->impl;
}

SinkPad& sink_pad(GstPad* pad) {
  return *static_cast<SinkPad*>(gst_pad_get_element_private(pad));
}

TensorSettings settings_of(SlotTensor& tensor) {
  MutexLock lock(tensor.mutex);
  return tensor.settings;
}

// ---- The task: tensors out --------------------------------------------------------------------

/// Chooses the memory of the tensors, from what downstream takes, and tells it.
bool negotiate(SlotTensor& tensor, const TensorSettings& settings) {
  gst_pad_check_reconfigure(tensor.src);  // whatever was asked for happens now
  const CapsPtr caps = tensor_caps(settings);
  Device* const device = tensor.device.get();
  CapsPtr chosen =
      device != nullptr ? ask_for_caps(tensor.src, caps.get(), device->domain()) : nullptr;
  tensor.on_device = chosen != nullptr;
  if (chosen == nullptr) chosen = ask_for_caps(tensor.src, caps.get(), kHostDomain);
  if (chosen == nullptr) return false;
  if (!gst_pad_push_event(tensor.src, gst_event_new_caps(chosen.get()))) return false;
  tensor.stats.readers_wait = ask_for_promise(tensor.src, chosen.get());
  tensor.is_negotiated = true;
  return true;
}

void start_stream(GstNv12SlotTensor* self) {
  SlotTensor& tensor = *self->impl;
  if (std::exchange(tensor.has_started, true)) return;
  // Of no camera: GStreamer makes ids of one's only.
  gchar* const id =
      g_strdup_printf("%s-%08x%08x", GST_OBJECT_NAME(self), g_random_int(), g_random_int());
  GstEvent* const event = gst_event_new_stream_start(id);
  g_free(id);
  gst_event_set_group_id(event, gst_util_group_id_next());
  gst_pad_push_event(tensor.src, event);
}

/// All that comes before a tensor.
GstFlowReturn prepare(GstNv12SlotTensor* self, const TensorSettings& settings) {
  SlotTensor& tensor = *self->impl;
  start_stream(self);
  if ((!tensor.is_negotiated || gst_pad_check_reconfigure(tensor.src)) &&
      !negotiate(tensor, settings)) {
    tensor.is_negotiated = false;
    return GST_PAD_IS_FLUSHING(tensor.src) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
  }
  if (!std::exchange(tensor.has_segment, true)) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(tensor.src, gst_event_new_segment(&segment));
  }
  return GST_FLOW_OK;
}

/// Counts why pictures have come to nothing, and says so where it is worth saying.
GstFlowReturn tell_why(GstNv12SlotTensor* self, const Error& error) {
  SlotTensor& tensor = *self->impl;
  switch (no_slot(error).kind) {
    case Outcome::Kind::kFlushing:
      return GST_FLOW_FLUSHING;
    case Outcome::Kind::kExhausted:
      ++tensor.stats.exhausted;
      if (!std::exchange(tensor.said.no_slot, true)) {
        GST_ELEMENT_WARNING(self, RESOURCE, NO_SPACE_LEFT,
                            ("No slot is left for a tensor; pictures are dropped."),
                            ("%s; give tensors up sooner, or set a larger pool-cap on an element "
                             "that makes slots; this is counted in stats",
                             error.message.c_str()));
      }
      return GST_FLOW_OK;
    default:
      break;
  }
  if (error.code == Errc::kInvalidArgument) {
    ++tensor.stats.bad_inputs;
    if (!std::exchange(tensor.said.bad_input, true)) {
      GST_ELEMENT_WARNING(
          self, STREAM, FORMAT, ("A buffer is no whole NV12 picture."),
          ("%s; such buffers are dropped and counted in stats", error.message.c_str()));
    }
    return GST_FLOW_OK;
  }
  // The other cameras' pictures may well become tensors: one call that failed ends nobody's stream.
  ++tensor.stats.failed;
  if (!std::exchange(tensor.said.failed, true)) {
    GST_ELEMENT_WARNING(
        self, RESOURCE, FAILED, ("A tensor could not be made."),
        ("%s; its pictures are dropped, and this is counted in stats", error.message.c_str()));
  }
  return GST_FLOW_OK;
}

GstFlowReturn drop(GstNv12SlotTensor* self, const Error& error, guint pictures) {
  GST_DEBUG_OBJECT(self, "%u pictures dropped: %s", pictures, error.message.c_str());
  const GstFlowReturn flow = tell_why(self, error);
  // Last, so that who sees the count finds the message.
  self->impl->stats.dropped += pictures;
  return flow;
}

/// Gives the picture its place in the batch.
GstFlowReturn add(GstNv12SlotTensor* self, const TensorInput& input) {
  SlotTensor& tensor = *self->impl;
  ++tensor.stats.pictures;
  const guint pictures = tensor.maker->size();
  const Result<TensorPath> path = tensor.maker->add(input);
  if (!path) return drop(self, path.error(), 1 + (tensor.maker->is_begun() ? 0 : pictures));
  if (*path != tensor.stats.path.load()) {
    GST_INFO_OBJECT(self, "PATH %s, from here on: pictures of %s", to_string(*path),
                    input.pad_name.c_str());
    tensor.stats.count(*path);
    g_object_notify(G_OBJECT(self), "path");
  } else {
    tensor.stats.count(*path);
  }
  return GST_FLOW_OK;
}

/// The batch's next picture, or none by then. Those before it are written while none is here.
Result<std::optional<TensorInput>> next(SlotTensor& tensor, TimePoint deadline) {
  if (std::optional<TensorInput> here = tensor.queue.pop(TimePoint()).input) return here;
  if (Status written = tensor.maker->write(); !written) return written.error();
  return tensor.queue.pop(deadline).input;
}

GstFlowReturn push_batch(GstNv12SlotTensor* self, GstClockTime running_time) {
  SlotTensor& tensor = *self->impl;
  const guint pictures = tensor.maker->size();
  if (!tensor.maker->is_full()) ++tensor.stats.partial_batches;
  Result<BufferPtr> buffer =
      tensor.maker->finish(tensor.on_device, tensor.stats.readers_wait, running_time);
  if (!buffer) return drop(self, buffer.error(), pictures);
  ++tensor.stats.batches;
  GST_BUFFER_PTS(buffer->get()) = running_time;
  return gst_pad_push(tensor.src, std::move(buffer).value().release());
}

/// A batch that begins with `input`.
GstFlowReturn make_batch(GstNv12SlotTensor* self, TensorInput first) {
  SlotTensor& tensor = *self->impl;
  const TensorSettings settings = settings_of(tensor);
  if (const GstFlowReturn ready = prepare(self, settings); ready != GST_FLOW_OK) return ready;
  if (Status begun = tensor.maker->begin(to_duration(settings.timeout)); !begun) {
    return drop(self, begun.error(), 1);
  }
  const TimePoint deadline = pool().clock().now() + to_duration(settings.batch_timeout);
  GstClockTime running_time = GST_CLOCK_TIME_NONE;
  std::optional<TensorInput> input(std::move(first));
  while (input) {
    const GstClockTime time = input->running_time;
    const guint before = tensor.maker->size();
    const GstFlowReturn added = add(self, *input);
    input.reset();
    if (added != GST_FLOW_OK || !tensor.maker->is_begun()) return added;
    // Of the newest: tensors are as late as their last picture.
    if (tensor.maker->size() > before && GST_CLOCK_TIME_IS_VALID(time) &&
        (!GST_CLOCK_TIME_IS_VALID(running_time) || time > running_time)) {
      running_time = time;
    }
    if (tensor.maker->is_full()) break;
    const guint pictures = tensor.maker->size();
    Result<std::optional<TensorInput>> another = next(tensor, deadline);
    if (!another) return drop(self, another.error(), pictures);
    input = std::move(another).value();
  }
  if (tensor.maker->size() == 0) {
    tensor.maker->give_up();
    return GST_FLOW_OK;
  }
  return push_batch(self, running_time);
}

/// One turn of the source pad's task.
void make_tensors(gpointer user_data) {
  auto* self = GST_NV12_SLOT_TENSOR(user_data);
  SlotTensor& tensor = *self->impl;
  TensorQueue::Taken taken = tensor.queue.pop({});
  GstFlowReturn flow = GST_FLOW_FLUSHING;
  if (taken.input) {
    flow = make_batch(self, std::move(*taken.input));
  } else if (taken.is_end) {
    start_stream(self);
    gst_pad_push_event(tensor.src, gst_event_new_eos());
    flow = GST_FLOW_EOS;
  }
  if (flow == GST_FLOW_OK) return;

  GST_DEBUG_OBJECT(self, "no more tensors: %s", gst_flow_get_name(flow));
  tensor.flow = flow;
  tensor.queue.set_stopped(true);  // cameras' threads go on, and are told
  gst_pad_pause_task(tensor.src);
  if (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS) {
    if (flow != GST_FLOW_ERROR) GST_ELEMENT_FLOW_ERROR(self, flow);
    gst_pad_push_event(tensor.src, gst_event_new_eos());
  }
}

void start_task(GstNv12SlotTensor* self) {
  SlotTensor& tensor = *self->impl;
  tensor.flow = GST_FLOW_OK;
  tensor.canceller.reset();
  tensor.queue.set_stopped(false);
  gst_pad_start_task(tensor.src, make_tensors, self, nullptr);
}

/// Has the task stop waiting, whatever it waits for.
void interrupt_task(SlotTensor& tensor) {
  tensor.flow = GST_FLOW_FLUSHING;
  tensor.canceller.cancel();
  tensor.queue.set_stopped(true);
}

gboolean src_activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active) {
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  if (active) {
    start_task(GST_NV12_SLOT_TENSOR(parent));
    return TRUE;
  }
  interrupt_task(impl_of(parent));
  return gst_pad_stop_task(pad);
}

// ---- Sink pads: pictures in -------------------------------------------------------------------

GstFlowReturn tensor_chain(GstPad* pad, GstObject* parent, GstBuffer* buffer) {
  BufferPtr input(buffer);
  SlotTensor& tensor = impl_of(parent);
  const SinkPad& sink = sink_pad(pad);
  if (!sink.has_caps) return GST_FLOW_NOT_NEGOTIATED;
  const GstClockTime running_time =
      gst_segment_to_running_time(&sink.segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  if (tensor.queue.push({.pad = pad,
                         .buffer = std::move(input),
                         .info = sink.info,
                         .pad_name = GST_PAD_NAME(pad),
                         .running_time = running_time})) {
    return GST_FLOW_OK;
  }
  const GstFlowReturn flow = tensor.flow;
  return flow != GST_FLOW_OK ? flow : GST_FLOW_FLUSHING;
}

bool take_caps(GstElement* element, SinkPad& sink, const GstCaps* caps) {
  sink.has_caps = false;
  if (!gst_video_info_from_caps(&sink.info, caps)) return false;
  const Result<Nv12Layout> layout = nv12_layout(static_cast<std::uint32_t>(sink.info.width),
                                                static_cast<std::uint32_t>(sink.info.height), 1);
  if (!layout) {
    GST_ELEMENT_ERROR(element, STREAM, FORMAT,
                      ("Tensors cannot be made of pictures of %d x %d pixels.", sink.info.width,
                       sink.info.height),
                      ("%s; scale or crop them to even sides of 2 to %u pixels",
                       layout.error().message.c_str(), kMaxSide));
    return false;
  }
  sink.has_caps = true;
  return true;
}

/// A flush of the only pad flushes the tensors too; with several, the others' go on.
void flush(GstNv12SlotTensor* self, GstPad* pad, GstEvent* event) {
  SlotTensor& tensor = *self->impl;
  const bool is_start = GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START;
  bool is_only = false;
  {
    MutexLock lock(tensor.mutex);
    is_only = tensor.pads == 1;
  }
  if (!is_start) gst_segment_init(&sink_pad(pad).segment, GST_FORMAT_TIME);
  tensor.queue.set_flushing(pad, is_start);
  if (!is_only) {
    gst_event_unref(event);
    return;
  }
  if (is_start) interrupt_task(tensor);
  gst_pad_push_event(tensor.src, event);
  if (is_start) {
    gst_pad_pause_task(tensor.src);
  } else {
    tensor.has_segment = false;
    start_task(self);
  }
}

gboolean tensor_sink_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  auto* self = GST_NV12_SLOT_TENSOR(parent);
  SinkPad& sink = sink_pad(pad);
  gboolean result = TRUE;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS: {
      GstCaps* caps = nullptr;
      gst_event_parse_caps(event, &caps);
      result = take_caps(GST_ELEMENT(parent), sink, caps);
      break;
    }
    case GST_EVENT_SEGMENT:
      gst_event_copy_segment(event, &sink.segment);
      break;
    case GST_EVENT_EOS:
      self->impl->queue.end(pad);
      break;
    case GST_EVENT_FLUSH_START:
    case GST_EVENT_FLUSH_STOP:
      flush(self, pad, event);
      return TRUE;
    default:
      // Of one camera; tensors are of all.
      break;
  }
  gst_event_unref(event);
  return result;
}

/// Whether there is a device; not known before it is opened, and links are made before that.
bool may_use_device(SlotTensor& tensor, GstPad* pad) {
  const bool is_open = GST_STATE(GST_PAD_PARENT(pad)) >= GST_STATE_READY;
  return !is_open || tensor.device.get() != nullptr;
}

CapsPtr possible_caps(SlotTensor& tensor, GstPad* pad, const GstCaps* filter) {
  const CapsPtr own(gst_pad_get_pad_template_caps(pad));
  CapsPtr result = may_use_device(tensor, pad)
                       ? CapsPtr(gst_caps_ref(own.get()))
                       : CapsPtr(gst_caps_from_string(GST_VIDEO_CAPS_MAKE("NV12")));
  if (filter != nullptr) {
    // The filter's order is the asker's preference.
    result.reset(gst_caps_intersect_full(const_cast<GstCaps*>(filter), result.get(),
                                         GST_CAPS_INTERSECT_FIRST));
  }
  return result;
}

gboolean tensor_sink_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  SlotTensor& tensor = impl_of(parent);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CONTEXT:
      if (tensor.device.answer(GST_ELEMENT(parent), query, settings_of(tensor).device)) return TRUE;
      break;
    case GST_QUERY_CAPS: {
      GstCaps* filter = nullptr;
      gst_query_parse_caps(query, &filter);
      gst_query_set_caps_result(query, possible_caps(tensor, pad, filter).get());
      return TRUE;
    }
    case GST_QUERY_ACCEPT_CAPS: {
      GstCaps* caps = nullptr;
      gst_query_parse_accept_caps(query, &caps);
      const CapsPtr possible = possible_caps(tensor, pad, nullptr);
      gst_query_set_accept_caps_result(query, gst_caps_can_intersect(caps, possible.get()));
      return TRUE;
    }
    case GST_QUERY_ALLOCATION:
      gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, nullptr);
      // Kept by TensorMaker::write().
      gst_nv12_slot_query_add_reader(query);
      return TRUE;
    default:
      break;
  }
  return gst_pad_query_default(pad, parent, query);
}

gboolean tensor_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  SlotTensor& tensor = impl_of(parent);
  if (GST_QUERY_TYPE(query) == GST_QUERY_CONTEXT &&
      tensor.device.answer(GST_ELEMENT(parent), query, settings_of(tensor).device)) {
    return TRUE;
  }
  if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS) {
    GstCaps* filter = nullptr;
    gst_query_parse_caps(query, &filter);
    const CapsPtr system = tensor_caps(settings_of(tensor));
    CapsPtr caps = caps_in_both_memories(system.get(), may_use_device(tensor, pad));
    if (filter != nullptr) {
      caps.reset(gst_caps_intersect_full(filter, caps.get(), GST_CAPS_INTERSECT_FIRST));
    }
    gst_query_set_caps_result(query, caps.get());
    return TRUE;
  }
  const gboolean answered = gst_pad_query_default(pad, parent, query);
  if (!answered || GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return answered;
  const TensorSettings settings = settings_of(tensor);
  gboolean is_live = FALSE;
  GstClockTime min = 0;
  GstClockTime max = 0;
  gst_query_parse_latency(query, &is_live, &min, &max);
  if (!is_live || settings.batch_size <= 1) return TRUE;
  // The first picture of a batch is that late at most.
  const auto wait = static_cast<GstClockTime>(to_duration(settings.batch_timeout).count());
  constexpr GstClockTime kLongest = GST_CLOCK_TIME_NONE - 1;
  min = min < kLongest - wait ? min + wait : kLongest;
  if (GST_CLOCK_TIME_IS_VALID(max)) max = max < kLongest - wait ? max + wait : kLongest;
  gst_query_set_latency(query, is_live, min, max);
  return TRUE;
}

GstPad* tensor_request_new_pad(GstElement* element, GstPadTemplate* pad_template, const gchar* name,
                               const GstCaps*) {
  SlotTensor& tensor = impl_of(element);
  gchar* own_name = nullptr;
  {
    MutexLock lock(tensor.mutex);
    unsigned number = tensor.next_pad;
    if (name != nullptr) {
      guint64 asked = 0;
      if (!g_str_has_prefix(name, "sink_") ||
          !g_ascii_string_to_unsigned(name + 5, 10, 0, G_MAXUINT - 1, &asked, nullptr)) {
        GST_WARNING_OBJECT(element, "no pad is called %s here; they are sink_0 and so on", name);
        return nullptr;
      }
      number = static_cast<unsigned>(asked);
    }
    tensor.next_pad = std::max(tensor.next_pad, number + 1);
    own_name = g_strdup_printf("sink_%u", number);
  }
  GstPad* const pad = gst_pad_new_from_template(pad_template, own_name);
  g_free(own_name);
  auto* const sink = new SinkPad;
  gst_segment_init(&sink->segment, GST_FORMAT_TIME);
  gst_pad_set_element_private(pad, sink);
  gst_pad_set_chain_function(pad, tensor_chain);
  gst_pad_set_event_function(pad, tensor_sink_event);
  gst_pad_set_query_function(pad, tensor_sink_query);
  tensor.queue.add_pad(pad);
  if (!gst_element_add_pad(element, pad)) {  // there is one of that name; the pad is gone
    tensor.queue.remove_pad(pad);
    delete sink;
    return nullptr;
  }
  MutexLock lock(tensor.mutex);
  ++tensor.pads;
  return pad;
}

void tensor_release_pad(GstElement* element, GstPad* pad) {
  SlotTensor& tensor = impl_of(element);
  // First, or deactivating would wait for a thread that waits for its place.
  tensor.queue.remove_pad(pad);
  gst_pad_set_active(pad, FALSE);
  auto* const sink = &sink_pad(pad);
  {
    MutexLock lock(tensor.mutex);
    --tensor.pads;
  }
  gst_element_remove_pad(element, pad);
  delete sink;
}

// ---- State ------------------------------------------------------------------------------------

bool start(GstNv12SlotTensor* self) {
  SlotTensor& tensor = *self->impl;
  const TensorSettings settings = settings_of(tensor);
  std::string refused;
  {
    MutexLock lock(tensor.mutex);
    refused = tensor.refused;
  }
  gchar* const name = gst_object_get_name(GST_OBJECT(self));
  auto source = std::make_shared<Source>(pool().clock(), name);
  g_free(name);
  Device* const device = tensor.device.get();
  Result<std::unique_ptr<TensorMaker>> maker = TensorMaker::open(
      {.device = device,
       .context = device != nullptr ? tensor.device.ensure_context(device->domain()) : nullptr,
       .source = source,
       .canceller = &tensor.canceller,
       .batch_size = settings.batch_size},
      settings.spec);
  if (!refused.empty() || !maker) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("Tensors as asked for cannot be made."),
                      ("%s", !refused.empty() ? refused.c_str() : maker.error().message.c_str()));
    return false;
  }
  tensor.maker = std::move(maker).value();
  tensor.stats.reset();
  tensor.said = Said();
  tensor.has_started = tensor.has_segment = tensor.is_negotiated = false;
  MutexLock lock(tensor.mutex);
  tensor.source = std::move(source);
  return true;
}

/// After the pads are inactive.
void stop(SlotTensor& tensor) {
  std::shared_ptr<Source> source;
  {
    MutexLock lock(tensor.mutex);
    source = tensor.source;
  }
  tensor.maker.reset();
  if (source != nullptr) source->close();
}

void tensor_set_context(GstElement* element, GstContext* context) {
  SlotTensor& tensor = impl_of(element);
  tensor.device.set_context(element, context, settings_of(tensor).device);
  GST_ELEMENT_CLASS(gst_nv12_slot_tensor_parent_class)->set_context(element, context);
}

GstStateChangeReturn tensor_change_state(GstElement* element, GstStateChange transition) {
  auto* self = GST_NV12_SLOT_TENSOR(element);
  SlotTensor& tensor = *self->impl;
  switch (transition) {
    case GST_STATE_CHANGE_NULL_TO_READY: {
      SlotSettings settings;
      settings.device = settings_of(tensor).device;
      if (!tensor.device.open(element, settings)) return GST_STATE_CHANGE_FAILURE;
      break;
    }
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (!start(self)) return GST_STATE_CHANGE_FAILURE;
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      // First, or the parent would wait for threads that wait for their place.
      interrupt_task(tensor);
      break;
    default:
      break;
  }
  const GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_nv12_slot_tensor_parent_class)->change_state(element, transition);
  switch (transition) {
    case GST_STATE_CHANGE_READY_TO_PAUSED:
      if (result == GST_STATE_CHANGE_FAILURE) {
        interrupt_task(tensor);
        gst_pad_stop_task(tensor.src);
        stop(tensor);
      }
      break;
    case GST_STATE_CHANGE_PAUSED_TO_READY:
      stop(tensor);
      break;
    case GST_STATE_CHANGE_READY_TO_NULL:
      tensor.device.close();
      break;
    default:
      break;
  }
  return result;
}

// ---- Object -----------------------------------------------------------------------------------

void tensor_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
  SlotTensor& tensor = impl_of(object);
  // What is under way goes by the tensor as it was when it began.
  const bool is_of_any_time = id == PROP_TENSOR_BATCH_TIMEOUT || id == PROP_TENSOR_TIMEOUT;
  const GstState latest = id == PROP_TENSOR_DEVICE ? GST_STATE_NULL : GST_STATE_READY;
  if (!is_of_any_time && GST_STATE(object) > latest) {
    GST_ERROR_OBJECT(object, "'%s' can be set up to %s state only; it stays what it was",
                     spec->name, gst_element_state_get_name(latest));
    return;
  }
  std::string why;
  {
    MutexLock lock(tensor.mutex);
    if (set_tensor_property(tensor.settings, id, value, why)) {
      tensor.refused.clear();
    } else {
      tensor.refused = std::string(spec->name) + ": " + why;
    }
  }
  if (id == PROP_TENSOR_DEVICE) tensor.device.forget_context();
}

void tensor_get_property(GObject* object, guint id, GValue* value, GParamSpec*) {
  SlotTensor& tensor = impl_of(object);
  if (id == PROP_TENSOR_PATH) {
    g_value_set_static_string(value, to_string(tensor.stats.path.load()));
    return;
  }
  const TensorSettings settings = settings_of(tensor);
  if (id != PROP_TENSOR_STATS) {
    get_tensor_property(settings, id, value);
    return;
  }
  std::shared_ptr<Source> source;
  {
    MutexLock lock(tensor.mutex);
    source = tensor.source;
  }
  const Domain domain = tensor.device.has_context() ? settings.device : kHostDomain;
  g_value_take_boxed(value, tensor.stats.to_structure(source.get(), domain).release());
}

/// Pads that were not released.
void tensor_dispose(GObject* object) {
  GstElement* const element = GST_ELEMENT(object);
  while (element->sinkpads != nullptr) {
    tensor_release_pad(element, GST_PAD(element->sinkpads->data));
  }
  G_OBJECT_CLASS(gst_nv12_slot_tensor_parent_class)->dispose(object);
}

void tensor_finalize(GObject* object) {
  delete GST_NV12_SLOT_TENSOR(object)->impl;
  G_OBJECT_CLASS(gst_nv12_slot_tensor_parent_class)->finalize(object);
}

}  // namespace
}  // namespace nv12slot::gst

static void gst_nv12_slot_tensor_class_init(GstNv12SlotTensorClass* klass) {
  using namespace nv12slot::gst;
  init_debug();
  GST_DEBUG_CATEGORY_INIT(nv12slottensor_debug, "nv12slottensor", 0, "Tensors of NV12 slots");

  auto* object_class = G_OBJECT_CLASS(klass);
  object_class->set_property = tensor_set_property;
  object_class->get_property = tensor_get_property;
  object_class->dispose = tensor_dispose;
  object_class->finalize = tensor_finalize;
  install_tensor_properties(object_class);

  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = tensor_change_state;
  element_class->set_context = tensor_set_context;
  element_class->request_new_pad = tensor_request_new_pad;
  element_class->release_pad = tensor_release_pad;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(
      element_class, "NV12 slots to tensors", "Filter/Converter/Video/Tensor/Hardware",
      "Scales, letterboxes, converts and normalises NV12 frames (in slots, CUDA memory or system "
      "memory) into tensors for inference, in batches of any number of cameras, on the GPU or the "
      "CPU",
      "nv12slot project");
}

static void gst_nv12_slot_tensor_init(GstNv12SlotTensor* self) {
  using namespace nv12slot::gst;
  self->impl = new SlotTensor;
  GstPad* const src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_activatemode_function(src, src_activate_mode);
  gst_pad_set_query_function(src, tensor_src_query);
  self->impl->src = src;
  gst_element_add_pad(GST_ELEMENT(self), src);
}
