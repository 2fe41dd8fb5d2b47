// SPDX-License-Identifier: Apache-2.0
// Who pays for the collector: goroutines that allocate while it marks have to help it ("assist"), or to wait for it. Neither is
// counted by the runtime for a call site. Both are states that a look at all goroutines sees, with the stack that allocates.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "userspace/go/runtime/runtime.h"

namespace dwell {

struct AssistGlances {
  std::size_t glances = 0;
  std::uint64_t marking = 0, waiting = 0;  // goroutines, of all glances together
  std::vector<std::pair<std::string, std::uint64_t>> places;  // the program's lines that allocate, most often first
};

// Twenty glances at random moments of a third of a second; fewer where there are very many goroutines.
AssistGlances glance_at_assists(const GoRuntime& runtime);

}  // namespace dwell
