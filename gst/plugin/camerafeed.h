// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>
#include <optional>

#include "camera_state.h"
#include "encodedqueue.h"

G_BEGIN_DECLS

#define GST_TYPE_NV12_SLOT_FEED (gst_nv12_slot_feed_get_type())
G_DECLARE_FINAL_TYPE(GstNv12SlotFeed, gst_nv12_slot_feed, GST, NV12_SLOT_FEED, GstElement)

G_END_DECLS

// The part of nv12slotsrc that stays: takes encoded frames from the queue and feeds the decoder,
// with times that go on over the seams between connections. Not GstBaseSrc, which ends for good
// where a decoder gives an error: a camera may come back with another stream.
//
// One thread, of its source pad. All functions below: any thread.
namespace nv12slot::gst {

/// In one run: from READY to PAUSED until back in READY.
struct FeedStats {
  std::uint64_t frames = 0;     ///< decoded, and given on by the decoder
  std::uint64_t corrupted = 0;  ///< of these, marked so
};

/// `ended` is called in the feed's thread, with the connection whose stream is over and decoded.
[[nodiscard]] GstElement* feed_new(std::shared_ptr<EncodedQueue> queue,
                                   std::function<void(std::uint64_t)> ended);

/// A live one does not preroll, and says `latency` (ns) when asked. In READY or below.
void feed_set_live(GstElement* feed, bool live);
/// True if it is another than before: the pipeline's latency has to be found anew.
bool feed_set_latency(GstElement* feed, GstClockTime latency);

/// The decoder gave `frame` on, in the thread of the feed. True for the first one of its
/// connection.
bool feed_note_frame(GstElement* feed, GstBuffer* frame);
/// The decoder cannot go on with this connection's stream: nothing more of it is sent there.
void feed_note_decoder_error(GstElement* feed);

/// Of the frames of `connection`, what a watchdog wants to know; packets are not filled in.
[[nodiscard]] camera::Seen feed_seen(GstElement* feed, std::uint64_t connection);
[[nodiscard]] FeedStats feed_stats(GstElement* feed);

}  // namespace nv12slot::gst
