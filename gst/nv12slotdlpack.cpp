// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/nv12slot/nv12slotdlpack.h>

#include <dlpack/dlpack.h>

#include <array>
#include <utility>

#include "nv12slotframe.h"

namespace {

using nv12slot::FrameRef;
using nv12slot::kHostDomain;

/// A tensor with all it points to. Deleted by its own deleter.
struct PlaneTensor {
  DLManagedTensor managed{};
  std::array<std::int64_t, 3> shape{};
  std::array<std::int64_t, 3> strides{};  // in samples, which are bytes
  FrameRef frame;
};

}  // namespace

gpointer gst_nv12_slot_frame_export_dlpack(GstNv12SlotFrame* frame, guint plane) {
  g_return_val_if_fail(frame != nullptr, nullptr);
  if (plane > 1) return nullptr;
  const FrameRef& exported = nv12slot::gst::frame_peek(frame);
  const nv12slot::Nv12Planes planes = exported.planes();
  const std::int64_t width = exported.layout().width;
  const std::int64_t height = exported.layout().height;
  const bool is_y = plane == 0;

  auto* tensor = new PlaneTensor;
  tensor->frame = exported;
  if (is_y) {
    tensor->shape = {height, width};
    tensor->strides = {static_cast<std::int64_t>(planes.y_pitch), 1};
  } else {
    tensor->shape = {height / 2, width / 2, 2};
    tensor->strides = {static_cast<std::int64_t>(planes.uv_pitch), 2, 1};
  }
  const bool is_on_host = exported.domain() == kHostDomain;
  DLTensor& description = tensor->managed.dl_tensor;
  description.data = reinterpret_cast<void*>(is_y ? planes.y : planes.uv);
  description.device = {is_on_host ? kDLCPU : kDLCUDA, is_on_host ? 0 : exported.domain()};
  description.ndim = is_y ? 2 : 3;
  description.dtype = {kDLUInt, 8, 1};
  description.shape = tensor->shape.data();
  description.strides = tensor->strides.data();
  tensor->managed.manager_ctx = tensor;
  tensor->managed.deleter = [](DLManagedTensor* self) {
    delete static_cast<PlaneTensor*>(self->manager_ctx);
  };
  return &tensor->managed;
}

void gst_nv12_slot_dlpack_free(gpointer tensor) {
  g_return_if_fail(tensor != nullptr);
  auto* managed = static_cast<DLManagedTensor*>(tensor);
  managed->deleter(managed);
}
