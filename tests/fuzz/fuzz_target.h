// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "seeds.h"

namespace nv12slot::fuzz {

/// Good inputs, by name.
using Corpus = std::map<std::string, Bytes>;

/// To be called first, in LLVMFuzzerInitialize: initialises GStreamer, has failed expectations of
/// GoogleTest end the process, and completes libFuzzer's arguments with what is not among them:
///
///   a folder for inputs      a new one, removed at exit; `make_seeds` puts its seeds there
///   -max_total_time=         NV12SLOT_FUZZ_SECONDS, or 10; 0: no limit
///   -timeout= and others     what suits this program
///
/// With -runs= or a file in place of a folder only what is asked for is done.
void prepare(int* argc, char*** argv, const std::function<Corpus()>& make_seeds);

/// Reads an input from its beginning; what is behind its end is 0, or empty.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  [[nodiscard]] bool is_empty() const { return rest_.empty(); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint64_t u64() { return number(8); }
  /// At most `count` bytes.
  std::span<const std::uint8_t> take(std::size_t count);
  /// Up to the next `end`, which is taken as well; all that is left where there is none.
  std::string_view text_until(std::string_view end);

 private:
  std::uint64_t number(std::size_t bytes);  // little-endian

  std::span<const std::uint8_t> rest_;
};

/// The counterpart: appends what Input reads.
void append(Bytes& to, std::span<const std::uint8_t> bytes);
void append_u16(Bytes& to, std::size_t number);
void append_text(Bytes& to, std::string_view text);

/// Ends the process, which libFuzzer takes for a finding, unless `holds`.
void require(bool holds, const std::string& what);

}  // namespace nv12slot::fuzz
