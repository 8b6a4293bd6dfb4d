// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "../pool/picture.h"
#include "colour.h"
#include "tensor_spec.h"

// What a tensor must be, worked out pixel by pixel in doubles from the definitions: H.273's colour
// equations, half-pixel centres, bilinear. Shares no code with the library but place(), which has
// tests of its own.
namespace nv12slot {

/// A picture, what its samples mean, and the tensor to make of it.
struct TensorCase {
  std::uint32_t width = 0, height = 0;
  TensorSpec spec;
  Colour colour;
};

/// Many, and among them each value of each field, small and odd sizes, up and down.
[[nodiscard]] std::vector<TensorCase> tensor_cases();
/// For gtest: what is special of the case.
void PrintTo(const TensorCase& it, std::ostream* out);

/// The values of the tensor, in its order of elements; kU8 saturated and not rounded.
[[nodiscard]] std::vector<double> expected_tensor(const TensorCase& it, const Picture& picture);

/// How far a value may be from the expected one: 0.02 of 255 before scale and std, and half a unit
/// of the type.
[[nodiscard]] double tolerance(const TensorCase& it, std::size_t channel, double value);

/// The values of a tensor in memory.
[[nodiscard]] std::vector<double> values_of(const TensorSpec& spec,
                                            const std::vector<std::uint8_t>& tensor);
/// The channel of an element.
[[nodiscard]] std::size_t channel_of_element(const TensorSpec& spec, std::size_t element);

/// The value of a half.
[[nodiscard]] double half_value(std::uint16_t half);

}  // namespace nv12slot
