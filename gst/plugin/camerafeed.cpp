// SPDX-License-Identifier: LGPL-2.1-or-later
#include "camerafeed.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "nv12slot/clock.h"
#include "poolcontrol.h"
#include "stream_time.h"

GST_DEBUG_CATEGORY_EXTERN(nv12slotsrc_debug);
#define GST_CAT_DEFAULT nv12slotsrc_debug

namespace nv12slot::gst {
namespace {

GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

}  // namespace

struct Feed {
  std::shared_ptr<EncodedQueue> queue;
  std::function<void(std::uint64_t)> ended;
  std::atomic<bool> is_live{false};
  std::atomic<GstClockTime> latency{0};
  std::atomic<bool> ends{false};            // the application wants it to
  std::atomic<bool> decoder_failed{false};  // with the connection at hand

  // Of the thread.
  bool has_begun = false;        // stream-start and segment are out
  CapsPtr caps;                  // that are out
  std::uint64_t connection = 0;  // at hand; 0: none yet
  bool waits_for_key = false;
  camera::StreamTime time;         // of the connection at hand, if live
  std::optional<Duration> offset;  // of its times, if it is a file
  GstClockTime position = 0;       // where the frames sent so far end
  GstClockTime duration = 0;       // of a frame

  // A leaf.
  Mutex mutex;
  std::uint64_t seen_connection NV12SLOT_GUARDED_BY(mutex) = 0;
  camera::Seen seen NV12SLOT_GUARDED_BY(mutex);  // of that one
  // Downstream has the thread since a frame went there.
  bool is_pushing NV12SLOT_GUARDED_BY(mutex) = false;
  bool gave_frame NV12SLOT_GUARDED_BY(mutex) = false;
  FeedStats stats NV12SLOT_GUARDED_BY(mutex);
};

}  // namespace nv12slot::gst

struct _GstNv12SlotFeed {
  GstElement parent;
  GstPad* src;
  nv12slot::gst::Feed* impl;
};

G_DEFINE_FINAL_TYPE(GstNv12SlotFeed, gst_nv12_slot_feed, GST_TYPE_ELEMENT)

namespace nv12slot::gst {
namespace {

using Kind = EncodedQueue::Item::Kind;

Feed& impl_of(gpointer element) {
  return *static_cast<GstNv12SlotFeed*>(element)->impl;
}

// ---- The thread -------------------------------------------------------------------------------

void begin_push(Feed& feed, bool may_block) {
  MutexLock lock(feed.mutex);
  feed.is_pushing = true;
  feed.gave_frame = may_block;
}

void end_push(Feed& feed) {
  MutexLock lock(feed.mutex);
  feed.is_pushing = false;
  // Downstream may have kept it long, and nothing could come meanwhile.
  if (feed.gave_frame && feed.seen.last_frame) feed.seen.last_frame = steady_clock().now();
  feed.gave_frame = false;
}

void push_event(GstNv12SlotFeed* self, GstEvent* event) {
  begin_push(*self->impl, true);
  gst_pad_push_event(self->src, event);
  end_push(*self->impl);
}

void push_segment(GstNv12SlotFeed* self) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  push_event(self, gst_event_new_segment(&segment));
}

void begin_stream(GstNv12SlotFeed* self) {
  if (std::exchange(self->impl->has_begun, true)) return;
  // Of the camera's name: that of the element stays the same over connections and runs.
  gchar* const name = gst_object_get_path_string(GST_OBJECT(self));
  gchar* const id = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);
  GstEvent* const event = gst_event_new_stream_start(id);
  g_free(id);
  g_free(name);
  gst_event_set_group_id(event, gst_util_group_id_next());
  push_event(self, event);
}

void begin_connection(GstNv12SlotFeed* self, std::uint64_t connection) {
  Feed& feed = *self->impl;
  feed.connection = connection;
  feed.waits_for_key = true;
  feed.decoder_failed = false;
  feed.time = camera::StreamTime(to_duration(feed.position));
  feed.offset.reset();
  MutexLock lock(feed.mutex);
  feed.seen_connection = connection;
  feed.seen = camera::Seen();
}

GstClockTime to_clock_time(Duration time) {
  return static_cast<GstClockTime>(std::max(time.count(), Duration::rep{0}));
}

/// A camera's frame was current when it came.
void stamp_live(GstNv12SlotFeed* self, GstBuffer* buffer, TimePoint arrival) {
  camera::StreamTime& time = self->impl->time;
  const Duration now = to_duration(gst_element_get_current_running_time(GST_ELEMENT(self)));
  std::optional<Duration> pts;
  if (GST_BUFFER_PTS_IS_VALID(buffer)) pts = to_duration(GST_BUFFER_PTS(buffer));
  GST_BUFFER_PTS(buffer) = to_clock_time(time.map(pts, now - (steady_clock().now() - arrival)));
  if (GST_BUFFER_DTS_IS_VALID(buffer)) {
    GST_BUFFER_DTS(buffer) = std::min(
        GST_BUFFER_PTS(buffer), to_clock_time(time.shift(to_duration(GST_BUFFER_DTS(buffer)))));
  }
}

/// When it is shown; of a bare stream, whose decoder finds that out, when it is decoded.
GstClockTime time_of(GstBuffer* buffer) {
  return GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer) : GST_BUFFER_DTS(buffer);
}

/// A file's frames go on where those before it ended.
void stamp_stored(GstNv12SlotFeed* self, GstBuffer* buffer) {
  Feed& feed = *self->impl;
  // As durations, of which no two are too large to be added: a file may have any times.
  if (!feed.offset && GST_CLOCK_TIME_IS_VALID(time_of(buffer))) {
    feed.offset = feed.position == 0 ? Duration::zero()
                                     : to_duration(feed.position) - to_duration(time_of(buffer));
  }
  for (GstClockTime* const time : {&GST_BUFFER_PTS(buffer), &GST_BUFFER_DTS(buffer)}) {
    if (!GST_CLOCK_TIME_IS_VALID(*time)) continue;
    *time = to_clock_time(to_duration(*time) + feed.offset.value_or(Duration::zero()));
  }
}

void stamp(GstNv12SlotFeed* self, GstBuffer* buffer, TimePoint arrival) {
  Feed& feed = *self->impl;
  if (feed.is_live) {
    stamp_live(self, buffer, arrival);
  } else {
    stamp_stored(self, buffer);
  }
  if (!GST_CLOCK_TIME_IS_VALID(time_of(buffer))) return;
  if (GST_BUFFER_DURATION_IS_VALID(buffer)) {
    feed.duration = to_clock_time(to_duration(GST_BUFFER_DURATION(buffer)));
  }
  feed.position = std::max(feed.position, time_of(buffer) + feed.duration);
}

/// What downstream has to know before the first frame after an outage.
void push_gap(GstNv12SlotFeed* self, GstClockTime from, GstClockTime to) {
  bool had_frames = false;
  {
    MutexLock lock(self->impl->mutex);
    had_frames = self->impl->stats.frames != 0;
  }
  if (had_frames && GST_CLOCK_TIME_IS_VALID(to) && to > from)
    push_event(self, gst_event_new_gap(from, to - from));
}

GstFlowReturn send(GstNv12SlotFeed* self, EncodedQueue::Item item) {
  Feed& feed = *self->impl;
  const bool is_new = item.connection != feed.connection;
  const bool is_first = feed.connection == 0;
  const GstClockTime position = feed.position;
  if (is_new) begin_connection(self, item.connection);
  if (feed.decoder_failed) return GST_FLOW_OK;
  const bool is_key = !GST_BUFFER_FLAG_IS_SET(item.buffer.get(), GST_BUFFER_FLAG_DELTA_UNIT);
  if (feed.waits_for_key && !is_key) return GST_FLOW_OK;
  const bool is_seam = std::exchange(feed.waits_for_key, false) && !is_first;

  begin_stream(self);
  const bool is_start = feed.caps == nullptr;
  if (feed.caps == nullptr || !gst_caps_is_equal(feed.caps.get(), item.caps.get())) {
    push_event(self, gst_event_new_caps(item.caps.get()));
    feed.caps = std::move(item.caps);
  }
  if (is_start) push_segment(self);
  stamp(self, item.buffer.get(), item.arrival);
  if (is_seam) {
    push_gap(self, position, GST_BUFFER_PTS(item.buffer.get()));
    GST_BUFFER_FLAG_SET(item.buffer.get(), GST_BUFFER_FLAG_DISCONT);
  }
  GST_LOG_OBJECT(self, "%" GST_PTR_FORMAT, item.buffer.get());
  begin_push(feed, false);
  const GstFlowReturn result = gst_pad_push(self->src, item.buffer.release());
  end_push(feed);
  return result;
}

void end_stream(GstNv12SlotFeed* self) {
  begin_stream(self);
  push_event(self, gst_event_new_eos());
  gst_pad_pause_task(self->src);
}

void loop(gpointer data) {
  auto* const self = GST_NV12_SLOT_FEED(data);
  Feed& feed = *self->impl;
  std::optional<EncodedQueue::Item> item = feed.queue->pop();
  if (!item) {
    gst_pad_pause_task(self->src);
    return;
  }
  if (item->kind == Kind::kEnd || feed.ends.load()) {
    end_stream(self);
    return;
  }
  if (item->kind == Kind::kOutage) {
    // A segment has the decoder give out what it holds, which else would wait for the outage's end.
    if (feed.caps != nullptr) push_segment(self);
    if (item->connection != 0 && feed.ended) feed.ended(item->connection);
    return;
  }
  const GstFlowReturn result = send(self, std::move(*item));
  // The bin has made a fault of the camera of it, and of nothing else.
  if (result == GST_FLOW_OK || (result == GST_FLOW_ERROR && feed.decoder_failed)) return;
  GST_DEBUG_OBJECT(self, "downstream said %s", gst_flow_get_name(result));
  gst_pad_pause_task(self->src);
  if (result == GST_FLOW_FLUSHING) return;
  if (result != GST_FLOW_EOS) GST_ELEMENT_FLOW_ERROR(self, result);
  push_event(self, gst_event_new_eos());
}

// ---- The pad and the element ------------------------------------------------------------------

gboolean feed_activate_mode(GstPad* pad, GstObject* parent, GstPadMode mode, gboolean active) {
  auto* const self = GST_NV12_SLOT_FEED(parent);
  Feed& feed = *self->impl;
  if (mode != GST_PAD_MODE_PUSH) return FALSE;
  feed.queue->interrupt(active == FALSE);
  if (active == FALSE) return gst_pad_stop_task(pad);
  return gst_pad_start_task(pad, loop, self, nullptr);
}

gboolean feed_query(GstPad* pad, GstObject* parent, GstQuery* query) {
  const Feed& feed = impl_of(parent);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_LATENCY: {
      const bool live = feed.is_live;
      gst_query_set_latency(query, live ? TRUE : FALSE, live ? feed.latency.load() : 0,
                            GST_CLOCK_TIME_NONE);
      return TRUE;
    }
    case GST_QUERY_SCHEDULING:
      gst_query_set_scheduling(query, GST_SCHEDULING_FLAG_SEQUENTIAL, 1, -1, 0);
      gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
      return TRUE;
    case GST_QUERY_SEEKING: {
      GstFormat format = GST_FORMAT_TIME;
      gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
      gst_query_set_seeking(query, format, FALSE, 0, -1);
      return TRUE;
    }
    default:
      return gst_pad_query_default(pad, parent, query);
  }
}

gboolean feed_event(GstPad* pad, GstObject* parent, GstEvent* event) {
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_SEEK:
      gst_event_unref(event);
      return FALSE;
    case GST_EVENT_QOS:
    case GST_EVENT_LATENCY:
    case GST_EVENT_RECONFIGURE:
      gst_event_unref(event);
      return TRUE;
    default:
      return gst_pad_event_default(pad, parent, event);
  }
}

gboolean feed_send_event(GstElement* element, GstEvent* event) {
  Feed& feed = impl_of(element);
  if (GST_EVENT_TYPE(event) != GST_EVENT_EOS) {
    return GST_ELEMENT_CLASS(gst_nv12_slot_feed_parent_class)->send_event(element, event);
  }
  gst_event_unref(event);
  feed.ends = true;
  feed.queue->end(Kind::kEnd);
  return TRUE;
}

GstStateChangeReturn feed_change_state(GstElement* element, GstStateChange transition) {
  Feed& feed = impl_of(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
    feed.has_begun = false;
    feed.caps.reset();
    feed.connection = 0;
    feed.position = 0;
    feed.duration = 0;
    feed.ends = false;
    feed.queue->clear();
    MutexLock lock(feed.mutex);
    feed.seen_connection = 0;
    feed.stats = FeedStats();
  }
  GstStateChangeReturn result =
      GST_ELEMENT_CLASS(gst_nv12_slot_feed_parent_class)->change_state(element, transition);
  const bool to_paused = transition == GST_STATE_CHANGE_READY_TO_PAUSED ||
                         transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED;
  if (to_paused && result == GST_STATE_CHANGE_SUCCESS && feed.is_live) {
    result = GST_STATE_CHANGE_NO_PREROLL;
  }
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) feed.queue->clear();
  return result;
}

void feed_finalize(GObject* object) {
  delete GST_NV12_SLOT_FEED(object)->impl;
  G_OBJECT_CLASS(gst_nv12_slot_feed_parent_class)->finalize(object);
}

}  // namespace

// ---- For the bin ------------------------------------------------------------------------------

GstElement* feed_new(std::shared_ptr<EncodedQueue> queue,
                     std::function<void(std::uint64_t)> ended) {
  auto* const element =
      static_cast<GstElement*>(g_object_new(GST_TYPE_NV12_SLOT_FEED, "name", "feed", nullptr));
  impl_of(element).queue = std::move(queue);
  impl_of(element).ended = std::move(ended);
  return element;
}

void feed_set_live(GstElement* element, bool live) {
  impl_of(element).is_live = live;
}

bool feed_set_latency(GstElement* element, GstClockTime latency) {
  return impl_of(element).latency.exchange(latency) != latency;
}

bool feed_note_frame(GstElement* element, GstBuffer* frame) {
  Feed& feed = impl_of(element);
  MutexLock lock(feed.mutex);
  feed.gave_frame = true;
  ++feed.stats.frames;
  if (GST_BUFFER_FLAG_IS_SET(frame, GST_BUFFER_FLAG_CORRUPTED)) ++feed.stats.corrupted;
  feed.seen.last_frame = steady_clock().now();
  if (feed.seen.first_frame) return false;
  feed.seen.first_frame = feed.seen.last_frame;
  return true;
}

void feed_note_decoder_error(GstElement* element) {
  impl_of(element).decoder_failed = true;
}

camera::Seen feed_seen(GstElement* element, std::uint64_t connection) {
  Feed& feed = impl_of(element);
  MutexLock lock(feed.mutex);
  camera::Seen seen;
  if (feed.seen_connection == connection) seen = feed.seen;
  seen.is_blocked = feed.is_pushing && feed.gave_frame;
  return seen;
}

FeedStats feed_stats(GstElement* element) {
  Feed& feed = impl_of(element);
  MutexLock lock(feed.mutex);
  return feed.stats;
}

}  // namespace nv12slot::gst

static void gst_nv12_slot_feed_class_init(GstNv12SlotFeedClass* klass) {
  using namespace nv12slot::gst;
  G_OBJECT_CLASS(klass)->finalize = feed_finalize;
  auto* const element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = feed_change_state;
  element_class->send_event = feed_send_event;
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Feed of a camera", "Source/Video",
                                        "The part of nv12slotsrc that stays between connections",
                                        "nv12slot project");
}

static void gst_nv12_slot_feed_init(GstNv12SlotFeed* self) {
  using namespace nv12slot::gst;
  self->impl = new Feed;
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_pad_set_activatemode_function(self->src, feed_activate_mode);
  gst_pad_set_query_function(self->src, feed_query);
  gst_pad_set_event_function(self->src, feed_event);
  gst_pad_use_fixed_caps(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
}
