// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace soak {

/// Seconds since the run began.
using Seconds = double;

/// What is done to a camera.
enum class FaultKind {
  kCut,       ///< its connection is closed
  kReset,     ///< its connection is reset
  kStall,     ///< its connection stays open and carries nothing any more
  kFlip,      ///< bytes that it receives are changed
  kKill,      ///< the server of all cameras is killed, and started again a while later
  kRecreate,  ///< its pipeline is destroyed and another one made
};
inline constexpr FaultKind kAllFaults[] = {FaultKind::kCut,   FaultKind::kReset,
                                           FaultKind::kStall, FaultKind::kFlip,
                                           FaultKind::kKill,  FaultKind::kRecreate};

/// The word for options and reports, e.g. "cut".
[[nodiscard]] const char* to_string(FaultKind kind);
[[nodiscard]] std::optional<FaultKind> fault_kind(std::string_view word);

/// A fault that is to come.
struct Fault {
  Seconds at = 0;
  FaultKind kind = FaultKind::kCut;
  int camera = 0;  ///< number of the camera; kAllCameras for kKill

  friend bool operator==(const Fault&, const Fault&) = default;
};
inline constexpr int kAllCameras = -1;

struct ScheduleSettings {
  unsigned seed = 1;
  unsigned cameras = 1;
  std::vector<FaultKind> kinds;  ///< empty: no faults
  Seconds begin = 0, end = 0;    ///< faults come from `begin` to before `end`
  Seconds every = 10;            ///< from fault to fault, on average; more than 0
};

/// When which fault comes to which camera; follows from the settings alone. Kinds and cameras come
/// in rounds: each once, in an order of its own in each round, so that none is left out for long.
[[nodiscard]] std::vector<Fault> make_schedule(const ScheduleSettings& settings);

}  // namespace soak
