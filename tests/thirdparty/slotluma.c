/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * slotluma: a sink that sums the luma of slot frames. It promises to wait and fence, and keeps the
 * last frame, without its buffer, until the next one comes. At the end it posts a message "slotluma"
 * with what it saw.
 */
#include <gst/base/gstbasesink.h>
#include <gst/nv12slot/nv12slot.h>

#define PACKAGE "slotluma"

G_DECLARE_FINAL_TYPE (SlotLuma, slot_luma, SLOT, LUMA, GstBaseSink)

struct _SlotLuma
{
  GstBaseSink parent;

  GstNv12SlotFrame *kept;
  guint64 frames, others, luma, ids;
};

G_DEFINE_TYPE (SlotLuma, slot_luma, GST_TYPE_BASE_SINK)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE ("sink",
    GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS ("video/x-raw, format=NV12"));

static gboolean
slot_luma_propose_allocation (GstBaseSink * sink G_GNUC_UNUSED,
    GstQuery * query)
{
  gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  gst_nv12_slot_query_add_reader (query);
  return TRUE;
}

static gboolean
slot_luma_read (SlotLuma * self, GstNv12SlotFrame * frame)
{
  GstNv12SlotMap map;
  guint row, column;

  if (!gst_nv12_slot_frame_wait (frame, NULL)
      || !gst_nv12_slot_frame_map (frame, &map))
    return FALSE;
  for (row = 0; row < map.height; row++) {
    for (column = 0; column < map.width; column++)
      self->luma += map.data[0][row * map.stride[0] + column];
  }
  gst_nv12_slot_frame_unmap (frame, &map);
  return gst_nv12_slot_frame_fence (frame, -1, NULL);
}

static GstFlowReturn
slot_luma_render (GstBaseSink * sink, GstBuffer * buffer)
{
  SlotLuma *self = SLOT_LUMA (sink);
  GstNv12SlotFrame *frame = gst_nv12_slot_frame_from_buffer (buffer);

  if (frame == NULL) {
    self->others++;
    return GST_FLOW_OK;
  }
  g_clear_pointer (&self->kept, gst_nv12_slot_frame_unref);
  self->kept = frame;
  self->frames++;
  self->ids ^= gst_nv12_slot_frame_get_id (frame);
  if (!slot_luma_read (self, frame)) {
    GST_ELEMENT_ERROR (self, STREAM, FAILED, (NULL), ("cannot read a frame"));
    return GST_FLOW_ERROR;
  }
  return GST_FLOW_OK;
}

static gboolean
slot_luma_event (GstBaseSink * sink, GstEvent * event)
{
  SlotLuma *self = SLOT_LUMA (sink);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    gst_element_post_message (GST_ELEMENT (sink),
        gst_message_new_element (GST_OBJECT (sink),
            gst_structure_new ("slotluma", "frames", G_TYPE_UINT64,
                self->frames, "others", G_TYPE_UINT64, self->others, "luma",
                G_TYPE_UINT64, self->luma, "ids", G_TYPE_UINT64, self->ids,
                NULL)));
  }
  return GST_BASE_SINK_CLASS (slot_luma_parent_class)->event (sink, event);
}

static gboolean
slot_luma_stop (GstBaseSink * sink)
{
  g_clear_pointer (&SLOT_LUMA (sink)->kept, gst_nv12_slot_frame_unref);
  return TRUE;
}

static void
slot_luma_class_init (SlotLumaClass * klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class, "Luma of slots",
      "Sink", "Sums the luma of slot frames", "somebody else");
  sink_class->propose_allocation = slot_luma_propose_allocation;
  sink_class->render = slot_luma_render;
  sink_class->event = slot_luma_event;
  sink_class->stop = slot_luma_stop;
}

static void
slot_luma_init (SlotLuma * self)
{
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
  gst_base_sink_set_async_enabled (GST_BASE_SINK (self), FALSE);
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}

static gboolean
plugin_init (GstPlugin * plugin)
{
  return gst_element_register (plugin, "slotluma", GST_RANK_NONE,
      slot_luma_get_type ());
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, slotluma,
    "Reads slots from outside", plugin_init, "0.1", "LGPL", "slotluma",
    "https://example.org")
