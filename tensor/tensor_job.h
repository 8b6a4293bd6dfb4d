// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

#include "colour.h"
#include "nv12_to_tensor.h"
#include "nv12slot/nv12_layout.h"
#include "tensor_spec.h"

namespace nv12slot {

/// A picture, and where its tensor goes.
struct TensorPicture {
  Nv12Planes planes;
  std::uint32_t width = 0, height = 0;  ///< pixels
  Colour colour;
  std::uintptr_t tensor = 0;  ///< spec.frame_bytes(), aligned to a value
};

/// The numbers by which one picture becomes one tensor. Preconditions: spec.validate(), and a
/// picture that nv12_layout() takes.
[[nodiscard]] TensorJob make_tensor_job(const TensorSpec& spec, const TensorPicture& picture);

}  // namespace nv12slot
