// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../decode/encode.h"
#include "gst_test.h"
#include "spared_thread.h"

// What faults happen to, and what they must not harm.
namespace nv12slot::gst {

/// What became of the pictures that an element was given.
struct Played {
  unsigned given = 0;
  unsigned came = 0;
  unsigned on_host = 0;  ///< of those that came, where a device is asked for
  bool last_came = false;
  bool ended = false;             ///< by an error
  std::vector<std::string> said;  ///< the texts of its errors and warnings

  /// "whole", "host" (all came, some in host memory), "drops" (some, and the last one), "ends" (an
  /// error), or "nothing" (no more came, and no error was posted).
  [[nodiscard]] std::string outcome() const;
};

/// Ends a process that was made for one case: prints its failures, and exits with 1 if there are
/// any.
[[noreturn]] void end_case();

/// When a victim tells that it has come to a point.
struct Moments {
  std::function<void()> starting;  ///< before there is an element
  std::function<void()> flowing;   ///< pictures have come, more follow
  std::function<void()> each;      ///< between pictures
};

/// An element that plays on the thread that calls, and is looked at by a reader to whom nothing
/// happens. Pictures that come and are not right are failures of the test.
struct Victim {
  const char* name;
  Played (*play)(SparedThread& reader, const Moments& moments);
};
inline void PrintTo(const Victim& victim, std::ostream* out) {
  *out << victim.name;
}

/// nv12slotcopy with a camera in system memory, nv12slotdec with H.264, nv12slottensor with frames
/// of its device and with those of another one; of CUDA device 0.
[[nodiscard]] const std::vector<Victim>& victims();

/// nv12slotcopy, nv12slotdec and nv12slottensor on the host.
[[nodiscard]] const std::vector<Victim>& host_victims();

/// A pool of the core's own, which opens device 0, makes slots, retires some, and closes all.
[[nodiscard]] Played play_pool(SparedThread& reader, const Moments& moments);

/// A camera that nothing happens to: each picture must come, and be right.
class Bystander {
 public:
  /// `thread`: where it lives; nullptr: on the thread that calls, without a driver call.
  Bystander(Domain domain, SparedThread* thread);
  ~Bystander();
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

  void play_one();
  [[nodiscard]] unsigned played() const { return played_; }

 private:
  void run(const std::function<void()>& work);

  SparedThread* const thread_;
  GstHarness* harness_ = nullptr;
  unsigned played_ = 0;
};

/// The H.264 that the victims decode, key pictures all; empty where there is no encoder.
[[nodiscard]] const std::vector<decode::Unit>& encoded_stream();

}  // namespace nv12slot::gst
