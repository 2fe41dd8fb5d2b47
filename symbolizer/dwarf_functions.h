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
  std::size_t memory() const {
    return entries_.size() * sizeof(FunctionEntry) + map_.size() * 12;
  }

 private:
  struct Walk;
  std::vector<FunctionEntry> entries_;
  IntervalMap map_;
};

// Namespaces and classes around the functions of one unit that have no linkage name to say so, as those of
// anonymous namespaces. Looked through only when such a function is met.
class ScopeIndex {
 public:
  struct Scope {
    std::uint64_t entry_offset;
    std::uint32_t parent;  // index of the scope around it, or kNoParent
    bool is_namespace;
  };
  static ScopeIndex build(const Unit& unit);

  // Outermost first; none for a function at the top or with a linkage name.
  std::vector<const Scope*> around(std::uint64_t entry_offset) const;

 private:
  std::vector<Scope> scopes_;     // in order of offset
  std::vector<Scope> functions_;  // in order of offset
};

}  // namespace dwell::dwarf
