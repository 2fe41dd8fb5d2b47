// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dwarf_functions.h"

#include <dwarf.h>

#include <algorithm>

namespace dwell::dwarf {

namespace {

// Inlining deeper than this is a file that wants our stack frames.
constexpr std::uint32_t kMaxInlineDepth = 256;
constexpr std::size_t kMaxScopes = 64;
constexpr std::size_t kMaxRanges = std::size_t{16} << 20;  // of one unit

struct Scope {
  std::uint32_t function;  // the function around the entries at this depth, kNoParent outside of any
  std::uint32_t depth;     // how many inlined functions deep
};

bool is_class(std::uint16_t tag) {
  return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

bool is_type(std::uint16_t tag) { return is_class(tag) || tag == DW_TAG_enumeration_type; }

// Moves behind an entry and everything in it, if the entry says where that is. Compilers that write
// DW_AT_sibling put no code into types, only declarations.
bool skip_with_children(const Abbrev& abbrev, ByteReader& reader, const Unit& unit) {
  std::uint64_t next = 0;
  const AttributeSpec* specs = unit.abbrevs->specs(abbrev);
  for (std::uint32_t i = 0; i < abbrev.spec_count; ++i) {
    if (specs[i].attribute == DW_AT_sibling) {
      next = read_value(specs[i], reader, unit).number;
    } else {
      skip_value(specs[i], reader, unit.encoding);
    }
  }
  std::uint64_t target = unit.offset + next - unit.first_entry;
  if (next == 0 || target <= reader.offset()) return false;
  reader.seek(target);
  return true;
}

// Whether a function is declared here, under a name that does not say where it belongs.
bool is_unlinked(const AbbrevTable& table, const Abbrev& abbrev) {
  bool has_name = false;
  for (std::uint32_t i = 0; i < abbrev.spec_count; ++i) {
    std::uint16_t attribute = table.specs(abbrev)[i].attribute;
    if (attribute == DW_AT_linkage_name || attribute == DW_AT_MIPS_linkage_name) return false;
    has_name |= attribute == DW_AT_name;
  }
  return has_name;
}

}  // namespace

struct FunctionIndex::Walk {
  const Unit& unit;
  const CodeRanges& code;
  FunctionIndex& index;
  std::vector<Range> ranges;  // of the function at hand; kept for its memory

  // Reads a function's entry; returns the scope of its children.
  Scope function(const Abbrev& abbrev, std::uint64_t entry_offset, ByteReader& reader, Scope around);
};

Scope FunctionIndex::Walk::function(const Abbrev& abbrev, std::uint64_t entry_offset, ByteReader& reader,
                                    Scope around) {
  Value low, high, ranges_value, origin;
  std::uint64_t call_file = 0, call_line = 0;
  const AttributeSpec* specs = unit.abbrevs->specs(abbrev);
  for (std::uint32_t i = 0; i < abbrev.spec_count; ++i) {
    switch (specs[i].attribute) {
      case DW_AT_low_pc: low = read_value(specs[i], reader, unit); break;
      case DW_AT_high_pc: high = read_value(specs[i], reader, unit); break;
      case DW_AT_ranges: ranges_value = read_value(specs[i], reader, unit); break;
      case DW_AT_call_file: call_file = read_value(specs[i], reader, unit).number; break;
      case DW_AT_call_line: call_line = read_value(specs[i], reader, unit).number; break;
      case DW_AT_abstract_origin: origin = read_value(specs[i], reader, unit); break;
      default: skip_value(specs[i], reader, unit.encoding);
    }
  }
  bool inlined = abbrev.tag == DW_TAG_inlined_subroutine;
  Scope inside = inlined ? around : Scope{kNoParent, 0};
  if ((ranges_value.form == 0 && low.form == 0) || around.depth >= kMaxInlineDepth) return inside;
  ranges.clear();
  if (ranges_value.form != 0) {
    add_ranges(ranges_value, unit, ranges);
  } else if (std::optional<Range> range = pc_range(low, high, unit)) {
    ranges.push_back(*range);
  }
  std::erase_if(ranges, [this](const Range& range) { return !code.contains(range.start); });
  if (ranges.empty()) return inside;

  // What is inlined has no name of its own, and the same origin as its neighbours: look there at once.
  std::optional<EntryReference> target = inlined ? reference_of(origin, unit) : std::nullopt;
  std::uint64_t named_by = target && target->file == unit.file ? target->offset : entry_offset;
  std::uint32_t number = static_cast<std::uint32_t>(index.entries_.size());
  for (const Range& range : ranges) index.map_.add(range.start, range.end, number);
  index.entries_.push_back({named_by, inlined ? around.function : kNoParent,
                            static_cast<std::uint32_t>(call_file), static_cast<std::uint32_t>(call_line)});
  return {number, inlined ? around.depth + 1 : 0};
}

FunctionIndex FunctionIndex::build(const Unit& unit, const CodeRanges& code) {
  FunctionIndex index;
  Walk walk{unit, code, index, {}};
  std::string_view bytes = unit.file->entries_of(unit);
  if (!unit.file->budget->spend(bytes.size())) return index;
  ByteReader reader(bytes);
  std::vector<Scope> scopes;
  Scope current{kNoParent, 0};
  while (reader.ok() && !reader.at_end() && index.map_.pending() < kMaxRanges) {
    std::uint64_t entry_offset = unit.first_entry + reader.offset();
    std::uint64_t kind = reader.uleb();
    if (kind == 0) {
      if (scopes.empty()) break;
      current = scopes.back();
      scopes.pop_back();
      continue;
    }
    const Abbrev* abbrev = unit.abbrevs->find(kind);
    if (!abbrev) break;
    Scope children = current;
    if (abbrev->tag == DW_TAG_subprogram || abbrev->tag == DW_TAG_inlined_subroutine) {
      children = walk.function(*abbrev, entry_offset, reader, current);
    } else if (abbrev->has_children && is_type(abbrev->tag)) {
      if (skip_with_children(*abbrev, reader, unit)) continue;
    } else {
      unit.abbrevs->skip(*abbrev, reader, unit.encoding);
    }
    if (!abbrev->has_children) continue;
    scopes.push_back(current);
    current = children;
  }
  index.map_.build();
  return index;
}

ScopeIndex ScopeIndex::build(const Unit& unit) {
  ScopeIndex index;
  std::string_view bytes = unit.file->entries_of(unit);
  if (!unit.file->budget->spend(bytes.size())) return index;
  ByteReader reader(bytes);
  std::vector<std::uint32_t> around;
  std::uint32_t current = kNoParent;
  while (reader.ok() && !reader.at_end()) {
    std::uint64_t entry_offset = unit.first_entry + reader.offset();
    std::uint64_t kind = reader.uleb();
    if (kind == 0) {
      if (around.empty()) break;
      current = around.back();
      around.pop_back();
      continue;
    }
    const Abbrev* abbrev = unit.abbrevs->find(kind);
    if (!abbrev) break;
    unit.abbrevs->skip(*abbrev, reader, unit.encoding);
    bool is_function = abbrev->tag == DW_TAG_subprogram;
    if (is_function && current != kNoParent && is_unlinked(*unit.abbrevs, *abbrev))
      index.functions_.push_back({entry_offset, current, false});
    if (!abbrev->has_children) continue;
    around.push_back(current);
    if (abbrev->tag == DW_TAG_namespace || is_class(abbrev->tag)) {
      index.scopes_.push_back({entry_offset, current, abbrev->tag == DW_TAG_namespace});
      current = static_cast<std::uint32_t>(index.scopes_.size() - 1);
    }
  }
  return index;
}

std::vector<const ScopeIndex::Scope*> ScopeIndex::around(std::uint64_t entry_offset) const {
  auto found = std::lower_bound(functions_.begin(), functions_.end(), entry_offset,
                                [](const Scope& scope, std::uint64_t offset) { return scope.entry_offset < offset; });
  std::vector<const Scope*> result;
  if (found == functions_.end() || found->entry_offset != entry_offset) return result;
  for (std::uint32_t at = found->parent; at != kNoParent && result.size() < kMaxScopes; at = scopes_[at].parent)
    result.push_back(&scopes_[at]);
  std::reverse(result.begin(), result.end());
  return result;
}

}  // namespace dwell::dwarf
