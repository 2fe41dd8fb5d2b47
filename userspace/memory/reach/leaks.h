// SPDX-License-Identifier: Apache-2.0
// Leaks: live blocks that nothing points to any more, found in a running process by several looks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/memory/heap/census.h"
#include "userspace/memory/reach/look_limits.h"
#include "userspace/memory/reach/lost_blocks.h"

namespace dwell::memory::reach {

// Lost blocks that look alike.
struct LeakGroup {
  std::string what;  // mangled name of the class, or the kind of content
  bool is_class = false, array = false;
  std::uint64_t usable = 0;  // bytes, of each block
  std::uint64_t blocks = 0, bytes = 0;
  std::uint64_t held_blocks = 0, held_bytes = 0;  // that only these hold
  std::vector<std::uint64_t> addresses;           // of the first few
};

struct LeakReport {
  std::string allocator;
  // Why nothing is claimed: "" if something is.
  std::string unsettled;
  int looks = 0;
  std::uint64_t live_blocks = 0, live_bytes = 0;        // of the last look
  std::uint64_t lost_blocks = 0, lost_bytes = 0;        // unreachable, all of them
  std::vector<LeakGroup> groups;                        // by bytes with what they hold
  std::uint64_t duration_ns = 0, bytes_read = 0, edges = 0;
};

Result<LeakReport> find_leaks(const LookLimits& limits);

}  // namespace dwell::memory::reach
