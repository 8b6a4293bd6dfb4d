// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

namespace soak {

/// Memory of this process that is in RAM, in MiB; 0 where the system does not say.
[[nodiscard]] double resident_mib();

}  // namespace soak
