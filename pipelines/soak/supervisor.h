// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "options.h"

namespace soak {

/// Runs the soak in a child process and waits for it: whether a process ends cleanly can be seen
/// from outside only, and one that crashes is to be reported on too. Then prints and writes the
/// reports. Returns 0 if every line passed, 1 if one failed, 2 if the soak could not begin. To be
/// called before the process has any thread.
int supervise(const Options& options);

/// Prints the checklist of `record`, and writes the reports that the options name. Returns 0 if
/// every line passed, else 1.
int write_reports(const Record& record, const Options& options);

}  // namespace soak
