// SPDX-License-Identifier: Apache-2.0
// Whether /proc shows the PID namespace that dwell runs in: only then an id means the same process there and
// in a system call.
#pragma once

#include "userspace/base/result.h"

namespace dwell {

// read_process() expects it first.
Result<void> expect_own_proc();

}  // namespace dwell
