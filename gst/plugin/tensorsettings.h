// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gst/gst.h>

#include "raii.h"
#include "tensor_spec.h"

// The properties of nv12slottensor, apart from what it does with them.
namespace nv12slot::gst {

inline constexpr guint kDefaultBatchSize = 1;
inline constexpr guint64 kDefaultBatchTimeout = 40 * GST_MSECOND;
inline constexpr guint64 kDefaultSlotTimeout = GST_SECOND;

struct TensorSettings {
  int device = 0;
  TensorSpec spec;
  guint batch_size = kDefaultBatchSize;
  guint64 batch_timeout = kDefaultBatchTimeout;  ///< ns
  guint64 timeout = kDefaultSlotTimeout;         ///< ns
};

/// Numbers of the properties.
enum TensorProperty {
  PROP_TENSOR_0,
  PROP_TENSOR_DEVICE,
  PROP_TENSOR_WIDTH,
  PROP_TENSOR_HEIGHT,
  PROP_TENSOR_LAYOUT,
  PROP_TENSOR_CHANNEL_ORDER,
  PROP_TENSOR_TYPE,
  PROP_TENSOR_SCALE_MODE,
  PROP_TENSOR_BORDER,
  PROP_TENSOR_SCALE,
  PROP_TENSOR_MEAN,
  PROP_TENSOR_STD,
  PROP_TENSOR_BATCH_SIZE,
  PROP_TENSOR_BATCH_TIMEOUT,
  PROP_TENSOR_TIMEOUT,
  PROP_TENSOR_PATH,
  PROP_TENSOR_STATS,
};

void install_tensor_properties(GObjectClass* object_class);
/// False, and nothing is stored, where the value is none that can be: `why` says what is wrong.
[[nodiscard]] bool set_tensor_property(TensorSettings& settings, guint id, const GValue* value,
                                       std::string& why);
/// All but PROP_TENSOR_PATH and PROP_TENSOR_STATS.
void get_tensor_property(const TensorSettings& settings, guint id, GValue* value);

/// Caps of the tensors, in system memory: other/tensors with one static tensor.
[[nodiscard]] CapsPtr tensor_caps(const TensorSettings& settings);

}  // namespace nv12slot::gst
