// SPDX-License-Identifier: Apache-2.0
// HeapDiff: which blocks were born and which died between two looks at one process, by who holds them and what they are. Without
// a probe in between: a block that was freed and allocated again at the same place with the same size counts as the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ui/json_parts.h"
#include "ui/text_style.h"
#include "userspace/memory/reach/holders.h"

namespace dwell::memory::reach {

struct BornAndDied {
  std::uint64_t born_blocks = 0, born_bytes = 0, died_blocks = 0, died_bytes = 0;
  std::int64_t net() const { return static_cast<std::int64_t>(born_bytes) - static_cast<std::int64_t>(died_bytes); }
};

struct HeapDiff {
  struct Row {
    std::string holder;
    std::string type;           // mangled; "": none
    bool held_by_type = false;
    std::uint64_t usable = 0;   // bytes of each, if it has no type
    BornAndDied change;
  };
  struct Size {
    std::uint64_t from = 0, to = 0;  // usable bytes, both included
    BornAndDied change;
  };
  BornAndDied all;
  std::uint64_t same_blocks = 0, same_bytes = 0;
  std::vector<Row> rows;       // the largest change first
  std::vector<Size> sizes;     // in order of size
  std::uint64_t apart_ns = 0;  // from the last look before to the last one after
};

// Pure.
HeapDiff compare(const HeldBlocks& before, const HeldBlocks& after);

// Looks until it is settled who holds what, and the same again, begun `apart_ns` later.
Result<HeapDiff> watch_heap(const HolderOptions& options, std::uint64_t apart_ns);

std::string diff_text(const HeapDiff& diff, const TextStyle& style, std::size_t rows);
Json diff_json(const HeapDiff& diff);

}  // namespace dwell::memory::reach
