// SPDX-License-Identifier: Apache-2.0
// The runtimes whose stacks are walked their own way.
#pragma once

#include <vector>

#include "userspace/go/runtime/threads.h"
#include "userspace/unwind/runtime_stacks.h"

namespace dwell {

inline std::vector<RuntimeStacksFinder> runtime_stacks() { return {GoThreads::find}; }

}  // namespace dwell
