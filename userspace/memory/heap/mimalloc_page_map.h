// SPDX-License-Identifier: Apache-2.0
// mimalloc 3's pages, found without symbols.
//
//   page map   2^18 words in memory of its own, from 3.6 on behind a head, and one of the library's variables points there: index
//              address >> 29. The first word leads right behind the map, which makes it unmistakable
//   part       2^13 words: index (address >> 16) & 0x1fff. Each leads to the record of the page that the 64 KiB belong to
//   record     where the page's blocks begin, how large and how many they are, and three lists of free ones
//   arena      1 GiB, most pages lie in one; a record says in which and where
#pragma once

#include <optional>

#include "userspace/memory/heap/mimalloc_segment.h"

namespace dwell::memory::heap {

// Arenas, and pages outside of them, as segments. None: there is no such allocator, it was never used, or its records are not
// as those of 3.0 to 3.6, or are encoded.
std::optional<MimallocSegments> find_mimalloc_page_map(const Target& target);

// The record of a page as it is now; `known`: as it was.
std::optional<MimallocPage> read_mapped_page(const ProcessMemory& memory, const MimallocLayout& layout, const MimallocPage& known);

}  // namespace dwell::memory::heap
