// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/heap.h"

#include <algorithm>

namespace dwell::memory::heap {

std::string_view name_of(BlockState state) {
  switch (state) {
    case BlockState::kLive:
      return "live";
    case BlockState::kMapped:
      return "live, mapped";
    case BlockState::kFree:
      return "free";
    case BlockState::kThreadCache:
      return "thread cache";
    case BlockState::kFastbin:
      return "fastbin";
    case BlockState::kTop:
      return "top";
    case BlockState::kMetadata:
      return "metadata";
    default:
      return "unknown";
  }
}

void sort_apart(std::vector<Range>& ranges) {
  std::ranges::sort(ranges, {}, &Range::start);
  std::uint64_t end = 0;
  std::erase_if(ranges, [&](const Range& range) {
    if (range.start < end) return true;
    end = range.end;
    return false;
  });
}

}  // namespace dwell::memory::heap
