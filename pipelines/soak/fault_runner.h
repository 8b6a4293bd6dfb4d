// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "fault.h"
#include "record.h"

namespace soak {

/// What a FaultRunner acts on.
class FaultTarget {
 public:
  virtual ~FaultTarget() = default;
  /// The cameras that `fault` comes to are told that it begins, and it is done to them.
  virtual void begin(const Fault& fault) = 0;
  /// When it was undone, so that the cameras could be well again; nothing while it is not. Asked at
  /// each tick, so it is also what gets on with it.
  virtual std::optional<Seconds> lift(const Fault& fault, Seconds begun) = 0;
  /// When camera number `camera` was well again; nothing while it is not.
  virtual std::optional<Seconds> recovered(int camera) = 0;
};

/// Runs a schedule. A camera has one fault at a time: a fault that comes too early waits for its
/// camera, those behind it wait with it, and a killed server waits until every camera is well. A
/// camera that has not recovered within the limit, or has not come up in that time, is given up: it
/// gets no more faults, and no killed server waits for it. One thread.
class FaultRunner {
 public:
  FaultRunner(std::vector<Fault> schedule, unsigned cameras, Seconds limit, FaultTarget& target);

  /// Begins what is due, sees to what is under way. To be called every 50 ms or so.
  void tick(Seconds now);
  /// No fault begins from now on.
  void stop_scheduling() { next_ = schedule_.size(); }

  [[nodiscard]] bool has_open() const;
  /// Cameras that a fault is open of.
  [[nodiscard]] bool is_open(int camera) const;
  /// All faults that have begun.
  [[nodiscard]] const std::vector<FaultRecord>& records() const { return records_; }
  [[nodiscard]] std::size_t left() const { return schedule_.size() - next_; }

 private:
  struct Open {
    Fault fault;
    std::size_t record;        // its place in records_
    std::vector<int> waiting;  // cameras that have not recovered
    Seconds last = 0;          // when the last of the others had
    bool is_over = false;
  };
  /// Those that the fault comes to and that were not given up.
  [[nodiscard]] std::vector<int> cameras_of(const Fault& fault) const;
  void see_to(Open& open, Seconds now);
  void begin_due(Seconds now);
  /// Whether a fault may come to them; those that are not for too long are given up.
  bool are_well(const std::vector<int>& cameras, Seconds now);

  const std::vector<Fault> schedule_;
  const Seconds limit_;
  FaultTarget& target_;
  std::size_t next_ = 0;
  std::vector<Open> open_;
  std::vector<bool> given_up_;            // by camera
  std::optional<Seconds> waiting_since_;  // for cameras that are being made
  std::vector<FaultRecord> records_;
};

}  // namespace soak
