// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "colour.h"
#include "nv12_to_tensor.h"
#include "nv12slot/nv12_layout.h"
#include "tensor_spec.h"

namespace nv12slot {

/// The numbers by which one picture becomes one tensor. Preconditions: spec.validate(), and a
/// picture that nv12_layout() takes.
[[nodiscard]] TensorJob make_tensor_job(const TensorSpec& spec, const Nv12Planes& picture,
                                        std::uint32_t width, std::uint32_t height,
                                        const Colour& colour, std::uintptr_t tensor);

}  // namespace nv12slot
