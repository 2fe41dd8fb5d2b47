// SPDX-License-Identifier: Apache-2.0
// What looks at the heap of a process may take.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace dwell::memory::reach {

struct LookLimits {
  pid_t pid = 0;
  std::uint64_t max_read_per_s = 0;  // bytes; 0: as fast as it goes
  std::uint64_t most_ns = 0;         // no look begins after that time; 0: no limit
};

}  // namespace dwell::memory::reach
