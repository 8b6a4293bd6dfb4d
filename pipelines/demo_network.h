// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "demo_encode.h"

namespace demo {

/// Cameras that are simulated by a child process and served by RTSP on loopback, and for each a
/// proxy between it and us, which cuts its connection on request. What the soak program has.
class Network {
 public:
  /// Encodes what they show into `folder`. Throws std::runtime_error, which says what is missing.
  Network(unsigned cameras, const EncodeSetup& setup, const std::string& folder);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] std::string uri(unsigned camera) const;
  void cut(unsigned camera);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The child process: this program, called by a Network. The exit status if it is that.
[[nodiscard]] std::optional<int> serve_if_asked(int argc, char** argv);

}  // namespace demo
