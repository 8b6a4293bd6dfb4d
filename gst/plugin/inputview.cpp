// SPDX-License-Identifier: LGPL-2.1-or-later
#include "inputview.h"

#include <array>
#include <utility>

#include "cudamemory.h"

namespace nv12slot::gst {
namespace {

struct Geometry {
  std::array<std::size_t, 2> offset;
  std::array<std::ptrdiff_t, 2> stride;
};

template <typename T>
Geometry geometry_of(const T& source) {
  return {{source.offset[0], source.offset[1]}, {source.stride[0], source.stride[1]}};
}

Error bad_input(std::string message) {
  return {Errc::kInvalidArgument, std::move(message)};
}

/// Where the planes are, in the order of who knows best: the meta, the memory, the caps.
Result<Geometry> find_planes(GstBuffer* buffer, const GstVideoInfo& info) {
  if (const GstVideoMeta* meta = gst_buffer_get_video_meta(buffer)) {
    if (meta->format != GST_VIDEO_FORMAT_NV12 || meta->n_planes != 2) {
      return bad_input("its video meta has " + std::to_string(meta->n_planes) + " planes of " +
                       gst_video_format_to_string(meta->format) + ", not 2 of NV12");
    }
    if (meta->width < static_cast<guint>(info.width) ||
        meta->height < static_cast<guint>(info.height)) {
      return bad_input("its video meta is of a smaller picture than the caps");
    }
    return geometry_of(*meta);
  }
  if (gst_buffer_n_memory(buffer) == 1) {
    GstMemory* memory = gst_buffer_peek_memory(buffer, 0);
    if (is_cuda_memory(memory)) return geometry_of(cuda_memory_info(memory));
  }
  return geometry_of(info);
}

/// Bytes of a plane from its first to the last that belongs to the picture. Neither overflows: a
/// side has 14 bits, a stride 31.
std::size_t bytes_of(const GstVideoInfo& info, std::size_t plane, std::size_t stride) {
  const auto rows = static_cast<std::size_t>(info.height) / (plane + 1);
  return stride * (rows - 1) + static_cast<std::size_t>(info.width);
}

const char* name_of(std::size_t plane) {
  return plane == 0 ? "Y" : "UV";
}

Status check_planes(GstBuffer* buffer, const GstVideoInfo& info, const Geometry& geometry) {
  const std::size_t size = gst_buffer_get_size(buffer);
  const auto width = static_cast<std::size_t>(info.width);
  for (std::size_t plane = 0; plane < 2; ++plane) {
    const std::ptrdiff_t stride = geometry.stride[plane];
    if (stride < static_cast<std::ptrdiff_t>(width)) {
      return bad_input(std::string("rows of its ") + name_of(plane) +
                       " plane are shorter than the picture");
    }
    // An offset may be anything: added to, it might wrap.
    const std::size_t offset = geometry.offset[plane];
    const std::size_t bytes = bytes_of(info, plane, static_cast<std::size_t>(stride));
    if (offset > size || bytes > size - offset) {
      return bad_input(std::string("its ") + name_of(plane) + " plane has " +
                       std::to_string(bytes) + " bytes from " + std::to_string(offset) +
                       " on, the buffer ends at " + std::to_string(size));
    }
  }
  return {};
}

/// A video meta has the memory mapped in which a plane begins, and none that it goes on in.
Status check_mapped(const GstVideoFrame& frame, const GstVideoInfo& info) {
  for (std::size_t plane = 0; plane < 2; ++plane) {
    const GstMapInfo& map = frame.map[frame.meta != nullptr ? plane : 0];
    const auto begin = static_cast<const std::uint8_t*>(frame.data[plane]) - map.data;
    const std::size_t bytes =
        bytes_of(info, plane, static_cast<std::size_t>(frame.info.stride[plane]));
    if (bytes > map.size - static_cast<std::size_t>(begin)) {
      return bad_input(std::string("its ") + name_of(plane) + " plane is not in one memory");
    }
  }
  return {};
}

}  // namespace

Result<InputView> InputView::map(GstBuffer* buffer, const GstVideoInfo& info, void* context) {
  const Result<Geometry> geometry = find_planes(buffer, info);
  if (!geometry) return geometry.error();
  const Status checked = check_planes(buffer, info, geometry.value());
  if (!checked) return checked.error();

  InputView view;
  GstMemory* memory = gst_buffer_peek_memory(buffer, 0);
  if (gst_buffer_n_memory(buffer) == 1 && is_cuda_memory(memory) &&
      cuda_memory_context(memory) == context) {
    if (!gst_memory_map(memory, &view.map_info_,
                        static_cast<GstMapFlags>(GST_MAP_READ | kMapCuda))) {
      return bad_input("it cannot be mapped on the device");
    }
    const auto base = reinterpret_cast<std::uintptr_t>(view.map_info_.data);
    const Geometry& at = geometry.value();
    view.planes_ = {base + at.offset[0], base + at.offset[1],
                    static_cast<std::size_t>(at.stride[0]), static_cast<std::size_t>(at.stride[1])};
    view.is_on_device_ = true;
  } else {
    if (!gst_video_frame_map(&view.video_frame_, &info, buffer, GST_MAP_READ)) {
      return bad_input("it cannot be mapped for reading");
    }
    if (const Status mapped = check_mapped(view.video_frame_, info); !mapped) {
      gst_video_frame_unmap(&view.video_frame_);
      return mapped.error();
    }
    const auto plane = [&](guint n) {
      return reinterpret_cast<std::uintptr_t>(GST_VIDEO_FRAME_PLANE_DATA(&view.video_frame_, n));
    };
    const auto stride = [&](guint n) {
      return static_cast<std::size_t>(GST_VIDEO_FRAME_PLANE_STRIDE(&view.video_frame_, n));
    };
    view.planes_ = {plane(0), plane(1), stride(0), stride(1)};
  }
  view.is_mapped_ = true;
  return view;
}

InputView::InputView(InputView&& other) noexcept
    : planes_(other.planes_),
      is_on_device_(other.is_on_device_),
      is_mapped_(std::exchange(other.is_mapped_, false)),
      map_info_(other.map_info_),
      video_frame_(other.video_frame_) {}

InputView::~InputView() {
  if (!is_mapped_) return;
  if (is_on_device_) {
    gst_memory_unmap(map_info_.memory, &map_info_);
  } else {
    gst_video_frame_unmap(&video_frame_);
  }
}

}  // namespace nv12slot::gst
