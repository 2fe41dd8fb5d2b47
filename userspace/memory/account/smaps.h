// SPDX-License-Identifier: Apache-2.0
// How much of each mapping is in memory, as /proc/PID/smaps says. Reading that walks the page tables under the process's
// mmap_lock, mapping by mapping: of a large process it is told by page_scan.h instead, where the kernel can.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "symbolizer/proc_maps.h"
#include "userspace/base/result.h"

namespace dwell::memory {

struct MappingUse {
  Mapping mapping;
  // Bytes.
  std::uint64_t resident = 0;   // Rss
  std::uint64_t anonymous = 0;  // of those: no page of a file
  std::uint64_t huge = 0;       // of those: transparent huge pages
  std::uint64_t swapped = 0;
  std::uint64_t hugetlb = 0;    // reserved huge pages in use: not in Rss
};

// shm, memfd, shared anonymous: of a file system in memory.
bool is_shared_memory(const Mapping& mapping);

// Pure.
std::vector<MappingUse> parse_smaps(std::string_view text);
Result<std::vector<MappingUse>> read_smaps(pid_t pid);
// The way that costs the process least.
Result<std::vector<MappingUse>> read_mapping_uses(pid_t pid);

}  // namespace dwell::memory
