// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <deque>
#include <memory>
#include <thread>

#include "decoder.h"
#include "nv12slot/clock.h"
#include "nv12slot/mutex.h"

namespace nv12slot::decode {

struct DecoderCacheStats {
  unsigned cap = 0;
  unsigned parked = 0;   ///< open and waiting for a camera
  unsigned closing = 0;  ///< being closed, or waiting for it; the hung ones not
  unsigned hung = 0;     ///< closes that did not come back in DecoderCache::kHung
  std::uint64_t opened = 0, reused = 0;
  std::uint64_t expired = 0;  ///< closed because nobody took them in time
  std::uint64_t evicted = 0;  ///< closed because more than the cap were parked
  std::uint64_t closed = 0;
};

/// Decoders of NVDEC that stay open between cameras. Opening one takes 57 ms, and 1 s with 16 at
/// once; closing one takes up to half a second: so a camera that goes parks its decoder, and one
/// that comes with the same stream takes it. What nobody takes is closed.
///
/// One in the process (process()), never destroyed; tests make their own. Any thread; nothing here
/// waits for a close. Locks: one mutex, a leaf; decoders are opened, flushed and closed without it.
/// Threads: "nv12slot-keeper" looks after deadlines, "nv12slot-closer" closes one after the other;
/// a close that hangs keeps its thread and the others go on in a new one.
class DecoderCache {
 public:
  static constexpr unsigned kDefaultCap = 16;
  static constexpr unsigned kMaxCap = 256;
  static constexpr Duration kDefaultIdleTimeout = std::chrono::seconds(30);
  static constexpr Duration kHung = std::chrono::seconds(5);

  explicit DecoderCache(Clock& clock);
  /// Closes everything, and waits for all closes but the hung ones.
  ~DecoderCache();
  DecoderCache(const DecoderCache&) = delete;
  DecoderCache& operator=(const DecoderCache&) = delete;

  [[nodiscard]] static DecoderCache& process();

  /// A parked decoder of that very spec, else a new one. Errors as of Decoder::open().
  [[nodiscard]] Result<std::unique_ptr<Decoder>> take(const DecoderSpec& spec);
  /// Takes a decoder that is not needed now: keeps it if it is worth it (Decoder::is_warm()), else
  /// closes it. nullptr is allowed.
  void park(std::unique_ptr<Decoder> decoder);
  /// Closes it on the closer's thread. nullptr is allowed.
  void close(std::unique_ptr<Decoder> decoder);

  /// Decoders parked at most, 0 (none) to kMaxCap; the longest idle ones are closed.
  [[nodiscard]] Status set_cap(unsigned cap);
  /// How long a decoder stays parked; 0: not at all.
  void set_idle_timeout(Duration timeout);
  [[nodiscard]] Duration idle_timeout() const;
  [[nodiscard]] DecoderCacheStats stats() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // the threads of closes that hang may outlive a test's cache
};

}  // namespace nv12slot::decode
