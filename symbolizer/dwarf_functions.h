// SPDX-License-Identifier: Apache-2.0
// Functions of one unit with what was inlined into them, as interval maps: one of the unit's functions, and one of
// the inlined calls of each function that was asked for. A lookup in a map that stands looks at no entry again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "symbolizer/dwarf_unit.h"
#include "symbolizer/interval_map.h"

namespace dwell::dwarf {

struct FunctionEntry {
  std::uint64_t named_by = 0;             // entry in .debug_info that leads to the name: its own, or its origin
  const FunctionEntry* parent = nullptr;  // the function that it was inlined into; null for one of its own
  std::uint32_t call_file = 0, call_line = 0;
};

class FunctionIndex {
 public:
  FunctionIndex() = default;
  FunctionIndex(const Unit& unit, const CodeRanges& code);

  // The innermost function around the address; null if there is none.
  const FunctionEntry* find(std::uint64_t address);
  // The one around it that is inlined into no other.
  const FunctionEntry* outermost(std::uint64_t address);
  std::size_t memory() const { return memory_; }

 private:
  struct Inlined {
    std::vector<FunctionEntry> entries;
    IntervalMap map;
  };
  struct Function {
    std::uint64_t entry_offset;
    FunctionEntry self;
    std::unique_ptr<Inlined> inlined;  // made when an address in the function is asked for
  };
  struct Parsed;

  Function* function_at(std::uint64_t address);
  void walk_unit(bool into_functions);
  void walk_function(Function& function);
  Parsed parse_function(const Abbrev& abbrev, std::uint64_t entry_offset, ByteReader& reader);

  const Unit* unit_ = nullptr;
  const CodeRanges* code_ = nullptr;
  std::deque<Function> functions_;
  IntervalMap map_;
  bool walked_into_functions_ = false;
  std::vector<Range> ranges_;  // of the entry at hand; kept for its memory
  std::size_t memory_ = 0;
};

// Namespaces and classes around the functions of one unit that have no linkage name to say so, as those of
// anonymous namespaces. Looked through only when such a function is met.
class ScopeIndex {
 public:
  struct Scope {
    std::uint64_t entry_offset;
    std::uint32_t parent;  // index of the scope around it, or kNone
    bool is_namespace;
  };
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static ScopeIndex build(const Unit& unit);

  // Outermost first; none for a function at the top or with a linkage name.
  std::vector<const Scope*> around(std::uint64_t entry_offset) const;

 private:
  std::vector<Scope> scopes_;     // in order of offset
  std::vector<Scope> functions_;  // in order of offset
};

}  // namespace dwell::dwarf
