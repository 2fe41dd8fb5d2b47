// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/v8_heap.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>

namespace dwell::memory {
namespace {

constexpr std::uint64_t kChunk = 256 << 10;  // chunks begin at multiples of it
constexpr std::uint64_t kLongestHead = 32 << 10;
constexpr std::size_t kFewest = 4;  // with one and the same heap: a single one may be chance

// As the chunk begins: V8 9 to 12.
struct Head {
  std::uint64_t size, flags, heap, area_start, area_end;
};

bool is_head(const Head& head, std::uint64_t chunk, std::uint64_t end) {
  return head.size >= heap::kPageSize && head.size <= end - chunk && head.heap && head.heap % 8 == 0 && head.heap >> 47 == 0 &&
         head.area_start > chunk && head.area_start - chunk <= kLongestHead && head.area_end > head.area_start &&
         head.area_end <= chunk + head.size && chunk + head.size - head.area_end < heap::kPageSize;
}

}  // namespace

std::vector<heap::Range> find_v8_chunks(const heap::Target& target) {
  absl::flat_hash_map<std::uint64_t, std::vector<heap::Range>> by_heap;
  for (const Mapping& mapping : target.mappings) {
    if (mapping.is_file() || !mapping.readable || mapping.shared || mapping.path == "[heap]" || mapping.path == "[stack]") continue;
    for (std::uint64_t at = (mapping.start + kChunk - 1) & ~(kChunk - 1); at < mapping.end; at += kChunk) {
      heap::PageState state{};
      target.pages.read(at, {&state, 1});
      if (state != heap::PageState::kPresent) continue;
      auto head = target.memory.load<Head>(at);
      // A chunk may go on in the next mapping, which may not be written: code.
      if (head && is_head(*head, at, std::max(mapping.end, at + kChunk))) by_heap[head->heap].push_back({at, at + head->size});
    }
  }
  std::vector<heap::Range> found;
  for (auto& [heap, chunks] : by_heap)
    if (chunks.size() >= kFewest) found.insert(found.end(), chunks.begin(), chunks.end());
  heap::sort_apart(found);
  return found;
}

}  // namespace dwell::memory
