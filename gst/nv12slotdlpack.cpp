// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/nv12slot/nv12slotdlpack.h>
#include <gst/nv12slot/nv12tensormeta.h>

#include <dlpack/dlpack.h>

#include <array>
#include <memory>
#include <utility>

#include "nv12slot/slot_pool.h"
#include "nv12slotframe.h"

namespace {

using nv12slot::FrameRef;
using nv12slot::kHostDomain;
using nv12slot::kMaxSlotBytes;

/// A tensor with all it points to. Deleted by its own deleter.
struct ExportedTensor {
  DLManagedTensor managed{};
  std::array<std::int64_t, 4> shape{};
  std::array<std::int64_t, 4> strides{};  // in elements
  FrameRef frame;
};

/// What `frame` keeps at `address`, with the sides and strides of `tensor`.
gpointer export_tensor(std::unique_ptr<ExportedTensor> tensor, const FrameRef& frame,
                       std::uintptr_t address, std::int32_t sides, DLDataType type) {
  tensor->frame = frame;
  const bool is_on_host = frame.domain() == kHostDomain;
  DLTensor& description = tensor->managed.dl_tensor;
  description.data = reinterpret_cast<void*>(address);
  description.device = {is_on_host ? kDLCPU : kDLCUDA, is_on_host ? 0 : frame.domain()};
  description.ndim = sides;
  description.dtype = type;
  description.shape = tensor->shape.data();
  description.strides = tensor->strides.data();
  tensor->managed.manager_ctx = tensor.get();
  tensor->managed.deleter = [](DLManagedTensor* self) {
    delete static_cast<ExportedTensor*>(self->manager_ctx);
  };
  return &tensor.release()->managed;
}

DLDataType element_type(GstNv12TensorType type) {
  switch (type) {
    case GST_NV12_TENSOR_UINT8:
      return {kDLUInt, 8, 1};
    case GST_NV12_TENSOR_FLOAT16:
      return {kDLFloat, 16, 1};
    case GST_NV12_TENSOR_FLOAT32:
      return {kDLFloat, 32, 1};
  }
  return {kDLUInt, 8, 1};
}

/// Sides, dense strides and no more bytes than a slot can have; false where `meta`, which anybody
/// may add to a buffer and write to, does not describe such a tensor.
bool describe(const GstNv12TensorMeta& meta, ExportedTensor& tensor) {
  const std::size_t element = element_type(meta.type).bits / 8;
  std::size_t elements = 1;
  for (std::size_t side = 4; side-- > 0;) {
    tensor.shape[side] = meta.shape[side];
    tensor.strides[side] = static_cast<std::int64_t>(elements);
    if (meta.shape[side] == 0 || meta.shape[side] > kMaxSlotBytes / element / elements)
      return false;
    elements *= meta.shape[side];
  }
  return true;
}

}  // namespace

gpointer gst_nv12_slot_frame_export_dlpack(GstNv12SlotFrame* frame, guint plane) {
  g_return_val_if_fail(frame != nullptr, nullptr);
  const FrameRef& exported = nv12slot::gst::frame_peek(frame);
  if (plane > 1 || exported.layout() == nv12slot::Nv12Layout{}) return nullptr;
  const nv12slot::Nv12Planes planes = exported.planes();
  const std::int64_t width = exported.layout().width;
  const std::int64_t height = exported.layout().height;

  auto tensor = std::make_unique<ExportedTensor>();
  if (plane == 0) {
    tensor->shape = {height, width};
    tensor->strides = {static_cast<std::int64_t>(planes.y_pitch), 1};
  } else {
    tensor->shape = {height / 2, width / 2, 2};
    tensor->strides = {static_cast<std::int64_t>(planes.uv_pitch), 2, 1};
  }
  return export_tensor(std::move(tensor), exported, plane == 0 ? planes.y : planes.uv,
                       plane == 0 ? 2 : 3, {kDLUInt, 8, 1});
}

gpointer gst_nv12_tensor_meta_export_dlpack(const GstNv12TensorMeta* meta) {
  g_return_val_if_fail(meta != nullptr, nullptr);
  auto tensor = std::make_unique<ExportedTensor>();
  if (meta->frame == nullptr || meta->data == 0 || !describe(*meta, *tensor)) return nullptr;
  return export_tensor(std::move(tensor), nv12slot::gst::frame_peek(meta->frame), meta->data, 4,
                       element_type(meta->type));
}

void gst_nv12_slot_dlpack_free(gpointer tensor) {
  g_return_if_fail(tensor != nullptr);
  auto* managed = static_cast<DLManagedTensor*>(tensor);
  managed->deleter(managed);
}
