// SPDX-License-Identifier: Apache-2.0
// gperftools' tcmalloc, 2.2 to 2.17: which spans of pages it has, found without symbols.
//
//   root   2^17 words in zeroed data: index address >> 31
//   leaf   2^18 words: index (address >> 13) & 0x3ffff; of a span with one block only its first and last page
//   span   first page, pages, two links, its free objects, and in 32 bits: objects that are not free, size class, where it is
//
// The root is recognized by what it leads to: spans that begin with the page that led there.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "userspace/memory/heap/heap.h"

namespace dwell::memory::heap {

constexpr std::uint64_t kTcmallocPage = 8192;

struct TcmallocSpan {
  std::uint64_t first, pages, next, previous, objects;
  std::uint32_t bits, unused;

  std::uint64_t start() const { return first * kTcmallocPage; }
  std::uint64_t bytes() const { return pages * kTcmallocPage; }
  std::uint32_t references() const { return bits & 0xffff; }
  std::uint32_t size_class() const { return bits >> 16 & 0xff; }
  bool in_use() const { return (bits >> 24 & 3) == 0; }
  bool operator==(const TcmallocSpan&) const = default;
};
static_assert(sizeof(TcmallocSpan) == 48);

struct TcmallocSpans {
  struct At {
    std::uint64_t record;
    TcmallocSpan span;
  };
  std::vector<At> all;                      // in address order
  std::vector<std::uint32_t> class_sizes;   // by size class; the first is 0
  std::vector<std::uint64_t> leaves;

  // The span that an address lies in; null: none.
  const At* around(std::uint64_t address) const;
  // Of a span of small objects.
  std::uint64_t object_size(const TcmallocSpan& span) const {
    return span.size_class() < class_sizes.size() ? class_sizes[span.size_class()] : 0;
  }
};

// None: there is no such allocator, or it was never used.
std::optional<TcmallocSpans> find_tcmalloc_spans(const Target& target);

}  // namespace dwell::memory::heap
