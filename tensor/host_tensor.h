// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "nv12_to_tensor.h"
#include "nv12slot/result.h"

namespace nv12slot {

struct TensorRows;

/// What the kernel nv12slot_nv12_to_tensor does, for memory of the host, on the calling thread.
/// `rows` are tensor_rows(), or those of a test. Fails with kOutOfMemory: some rows are needed
/// beside the tensor.
[[nodiscard]] Status write_host_tensor(const TensorJob& job, const TensorRows& rows);

}  // namespace nv12slot
