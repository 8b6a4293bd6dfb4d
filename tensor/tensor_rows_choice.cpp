// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tensor_rows.h"

namespace nv12slot {

extern const TensorRows kTensorRowsBaseline;
#ifdef NV12SLOT_HAVE_AVX2
extern const TensorRows kTensorRowsAvx2;
#endif

const TensorRows& tensor_rows() {
#ifdef NV12SLOT_HAVE_AVX2
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return kTensorRowsAvx2;
#endif
  return kTensorRowsBaseline;
}

}  // namespace nv12slot
