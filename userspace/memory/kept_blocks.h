// SPDX-License-Identifier: Apache-2.0
// What a recording of memory knows of single blocks when its probes are gone, for who looks for what holds them.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "userspace/memory/reach/held_sites.h"
#include "userspace/recording/ids.h"

namespace dwell::memory {

struct KeptBlocks {
  static constexpr std::size_t kMost = 1'000'000;  // of a process; of more, some of each call site
  std::map<ProcessSlot, std::vector<reach::FollowedBlock>> blocks;
};

}  // namespace dwell::memory
