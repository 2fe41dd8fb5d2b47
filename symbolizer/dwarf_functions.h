// SPDX-License-Identifier: Apache-2.0
// Functions of one unit with what was inlined into them, found by one walk over the unit's entries and kept as
// an interval map: a lookup never looks at the entries again.
#pragma once

#include <cstdint>
#include <vector>

#include "symbolizer/dwarf_unit.h"
#include "symbolizer/interval_map.h"

namespace dwell::dwarf {

struct FunctionEntry {
  std::uint64_t named_by;      // entry in the unit's .debug_info that leads to the name: its own, or its origin
  std::uint32_t parent;        // index of the function it was inlined into; kNoParent for one of its own
  std::uint32_t call_file, call_line;
};

// A namespace or class, or a function within one that has no linkage name to say so: functions of anonymous
// namespaces have none.
struct NamedScope {
  std::uint64_t entry_offset;
  std::uint32_t parent;  // index of the scope around it, or kNoParent
  bool is_namespace;
};

inline constexpr std::uint32_t kNoParent = ~std::uint32_t{0};

class FunctionIndex {
 public:
  static FunctionIndex build(const Unit& unit, const CodeRanges& code);

  // The innermost function around the address; null if there is none.
  const FunctionEntry* find(std::uint64_t address) const {
    std::uint32_t index = map_.find(address);
    return index == IntervalMap::kNone ? nullptr : &entries_[index];
  }
  const FunctionEntry* parent(const FunctionEntry& entry) const {
    return entry.parent == kNoParent ? nullptr : &entries_[entry.parent];
  }
  // The scopes around a function, outermost first; none for a function at the top or with a linkage name.
  std::vector<const NamedScope*> scopes_around(std::uint64_t entry_offset) const;
  std::size_t memory() const {
    return entries_.size() * sizeof(FunctionEntry) + map_.size() * 12 +
           (scopes_.size() + unlinked_.size()) * sizeof(NamedScope);
  }

 private:
  struct Walk;
  std::vector<FunctionEntry> entries_;
  std::vector<NamedScope> scopes_;     // in order of offset
  std::vector<NamedScope> unlinked_;  // functions, in order of offset
  IntervalMap map_;
};

}  // namespace dwell::dwarf
