// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/module_data.h"

#include <algorithm>

namespace dwell::memory::heap {
namespace {

constexpr std::uint64_t kLargest = std::uint64_t{64} << 20;

}  // namespace

bool is_anonymous(const Mapping& mapping) {
  return !mapping.is_file() && mapping.path.empty() && mapping.writable && !mapping.shared;
}

// What is mapped right behind zeroed data may be merged with it by the kernel: a library's variables are at the start.
std::vector<Range> module_data(const std::vector<Mapping>& mappings) {
  std::vector<Range> found;
  const Mapping* before = nullptr;
  for (const Mapping& mapping : mappings) {
    bool is_written = mapping.is_file() && mapping.writable && !mapping.shared;
    bool goes_on = before && before->end == mapping.start && before->is_file() && is_anonymous(mapping);
    if (goes_on && !found.empty() && found.back().end == mapping.start) {
      found.back().end = mapping.end;
    } else if (is_written || goes_on) {
      found.push_back({mapping.start, mapping.end});
    }
    before = &mapping;
  }
  for (Range& range : found) range.end = std::min(range.end, range.start + kLargest);
  return found;
}

}  // namespace dwell::memory::heap
