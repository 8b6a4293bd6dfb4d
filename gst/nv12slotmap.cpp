// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/nv12slot/nv12slotmap.h>

#include <memory>
#include <utility>

#include "debug.h"
#include "nv12slotframe.h"

#define GST_CAT_DEFAULT gst_nv12_slot_debug

namespace {

using nv12slot::Device;
using nv12slot::FrameRef;
using nv12slot::kHostDomain;
using nv12slot::Nv12Layout;
using nv12slot::Nv12Planes;
using nv12slot::Result;
using nv12slot::Status;
using nv12slot::StreamHandle;

/// What keeps a mapped picture: a reference to the frame of the host, or a copy of a device's.
struct HostView {
  FrameRef frame;
  std::unique_ptr<std::uint8_t[]> copy;
  Nv12Planes planes{};
};
using ViewPtr = std::shared_ptr<const HostView>;

/// Blocks until the picture is in `to`, which is host memory.
Status download(const FrameRef& frame, const Nv12Planes& to) {
  Device& device = frame.device();
  const Nv12Layout& layout = frame.layout();
  const Result<StreamHandle> stream = device.take_stream();
  if (!stream) return stream.error();
  Status status = frame.wait(*stream);
  if (status) {
    status = device.copy(to, kHostDomain, frame.planes(), frame.domain(), layout.width,
                         layout.height, *stream);
  }
  // Even after a failure: what was put into the stream must not run on.
  const Status done = device.synchronize(*stream);
  device.give_stream(*stream);
  return status ? done : status;
}

Result<ViewPtr> make_view(const FrameRef& frame) {
  auto view = std::make_shared<HostView>();
  if (frame.domain() == kHostDomain) {
    view->frame = frame;
    view->planes = frame.planes();
    return ViewPtr(std::move(view));
  }
  const Nv12Layout& layout = frame.layout();
  view->copy = std::make_unique_for_overwrite<std::uint8_t[]>(layout.size());
  const auto base = reinterpret_cast<std::uintptr_t>(view->copy.get());
  view->planes = {base, base + layout.uv_offset(), layout.pitch, layout.pitch};
  const Status status = download(frame, view->planes);
  if (!status) return status.error();
  return ViewPtr(std::move(view));
}

}  // namespace

gboolean gst_nv12_slot_frame_map(const GstNv12SlotFrame* frame, GstNv12SlotMap* map) {
  g_return_val_if_fail(frame != nullptr, FALSE);
  g_return_val_if_fail(map != nullptr, FALSE);
  const FrameRef& mapped = nv12slot::gst::frame_peek(frame);
  *map = {};
  Result<ViewPtr> view = make_view(mapped);
  if (!view) {
    GST_ERROR("map: %s", view.error().message.c_str());
    return FALSE;
  }
  const Nv12Planes& planes = (*view)->planes;
  map->data[0] = reinterpret_cast<const guint8*>(planes.y);
  map->data[1] = reinterpret_cast<const guint8*>(planes.uv);
  map->stride[0] = planes.y_pitch;
  map->stride[1] = planes.uv_pitch;
  map->width = mapped.layout().width;
  map->height = mapped.layout().height;
  map->view = new ViewPtr(std::move(view).value());
  return TRUE;
}

void gst_nv12_slot_frame_unmap(const GstNv12SlotFrame* frame, GstNv12SlotMap* map) {
  g_return_if_fail(frame != nullptr);
  g_return_if_fail(map != nullptr);
  delete static_cast<ViewPtr*>(map->view);
  *map = {};
}

GBytes* gst_nv12_slot_map_get_plane(const GstNv12SlotMap* map, guint plane) {
  g_return_val_if_fail(map != nullptr, nullptr);
  g_return_val_if_fail(map->view != nullptr, nullptr);
  if (plane > 1) return nullptr;
  const gsize rows = plane == 0 ? map->height : map->height / 2;
  return g_bytes_new_with_free_func(
      map->data[plane], map->stride[plane] * rows,
      [](gpointer view) { delete static_cast<ViewPtr*>(view); },
      new ViewPtr(*static_cast<const ViewPtr*>(map->view)));
}
