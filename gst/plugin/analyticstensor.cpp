// SPDX-License-Identifier: LGPL-2.1-or-later
#include "analyticstensor.h"

#include "config.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#include <gst/analytics/gsttensormeta.h>
#endif

namespace nv12slot::gst {

#ifdef HAVE_GST_ANALYTICS

namespace {

GstTensorDataType data_type(GstNv12TensorType type) {
  switch (type) {
    case GST_NV12_TENSOR_UINT8:
      return GST_TENSOR_DATA_TYPE_UINT8;
    case GST_NV12_TENSOR_FLOAT16:
      return GST_TENSOR_DATA_TYPE_FLOAT16;
    case GST_NV12_TENSOR_FLOAT32:
      return GST_TENSOR_DATA_TYPE_FLOAT32;
  }
  return GST_TENSOR_DATA_TYPE_UINT8;
}

}  // namespace

void add_analytics_tensor(GstBuffer* buffer, const GstNv12TensorMeta& meta) {
  // A buffer of its own, as one that held itself would never go; the memory is the same.
  GstBuffer* const data = gst_buffer_new();
  gst_buffer_append_memory(data, gst_memory_ref(gst_buffer_peek_memory(buffer, 0)));
  gsize shape[4] = {meta.shape[0], meta.shape[1], meta.shape[2], meta.shape[3]};
  GstTensor* const tensor =
      gst_tensor_new_simple(g_quark_from_static_string("nv12slottensor"), data_type(meta.type),
                            data, GST_TENSOR_DIM_ORDER_ROW_MAJOR, 4, shape);
  auto** const tensors = g_new(GstTensor*, 1);  // the meta's from here on
  tensors[0] = tensor;
  gst_tensor_meta_set(gst_buffer_add_tensor_meta(buffer), 1, tensors);
}

#else

void add_analytics_tensor(GstBuffer*, const GstNv12TensorMeta&) {}

#endif

}  // namespace nv12slot::gst
