// SPDX-License-Identifier: LGPL-2.1-or-later
#include "memory.h"

#include <fstream>
#include <string>

namespace soak {

double resident_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmRSS:") continue;
    double kib = 0;
    status >> kib;
    return kib / 1024;
  }
  return 0;
}

}  // namespace soak
