// SPDX-License-Identifier: Apache-2.0
// Whether the functions of pairs are in the processes that a recording begins with, before anything is attached.
#pragma once

#include <sys/types.h>

#include <vector>

#include "userspace/base/result.h"
#include "userspace/pairs/spec.h"

namespace dwell::pairs {

// Exit::kUsage: a function is in none of them, with the name most like it; or in several files, and which one is meant is not to be
// known. A function of a file that is not mapped may come later, and is fine.
Result<void> check_pairs(const std::vector<pid_t>& pids, const std::vector<PairSpec>& specs);

}  // namespace dwell::pairs
