// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>

namespace nv12slot::fuzz {

/// Calls `play` with the number of each damaged stream in turn. The process ends, with the number
/// told, when one of them crashes it or takes more than 20 s; stops after a failed expectation.
///
///   NV12SLOT_FUZZ_STREAMS  how many streams in all programs together (default 10,000)
///   NV12SLOT_FUZZ_SHARE    of which this program plays so many percent (default 100)
///   NV12SLOT_FUZZ_FIRST    the first one's number (default 0)
///
/// To repeat number 4711 alone: NV12SLOT_FUZZ_FIRST=4711 NV12SLOT_FUZZ_STREAMS=1.
void for_each_stream(const std::function<void(std::uint32_t number)>& play);

}  // namespace nv12slot::fuzz
