// SPDX-License-Identifier: Apache-2.0
// Finished reports that the tests of text and JSON share.
#pragma once

#include "userspace/memory/report.h"

namespace dwell {

MemoryReport server_report();    // two kinds, inlined frames, long C++ names, a cut stack, no losses
MemoryReport troubled_report();  // sampled, cut off, two processes, losses, hostile names
MemoryDiff server_diff();        // growth, shrinking, a new and a vanished call site

}  // namespace dwell
