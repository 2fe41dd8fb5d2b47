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

bool has_code_attributes(const Value& low, const Value& ranges) { return low.form != 0 || ranges.form != 0; }

}  // namespace

// What one function's entry says; its ranges are in ranges_.
struct FunctionIndex::Parsed {
  FunctionEntry entry;
  std::uint64_t sibling = 0;  // offset of the entry behind it and its children; 0: not said
};

FunctionIndex::FunctionIndex(const Unit& unit, const CodeRanges& code) : unit_(&unit), code_(&code) {
  walk_unit(false);
}

FunctionIndex::Parsed FunctionIndex::parse_function(const Abbrev& abbrev, std::uint64_t entry_offset,
                                                    ByteReader& reader) {
  const Unit& unit = *unit_;
  Parsed parsed;
  Value low, high, ranges_value, origin;
  const AttributeSpec* specs = unit.abbrevs->specs(abbrev);
  for (std::uint32_t i = 0; i < abbrev.spec_count; ++i) {
    switch (specs[i].attribute) {
      case DW_AT_low_pc: low = read_value(specs[i], reader, unit); break;
      case DW_AT_high_pc: high = read_value(specs[i], reader, unit); break;
      case DW_AT_ranges: ranges_value = read_value(specs[i], reader, unit); break;
      case DW_AT_call_file:
        parsed.entry.call_file = static_cast<std::uint32_t>(read_value(specs[i], reader, unit).number);
        break;
      case DW_AT_call_line:
        parsed.entry.call_line = static_cast<std::uint32_t>(read_value(specs[i], reader, unit).number);
        break;
      case DW_AT_abstract_origin: origin = read_value(specs[i], reader, unit); break;
      case DW_AT_sibling: parsed.sibling = unit.offset + read_value(specs[i], reader, unit).number; break;
      default: skip_value(specs[i], reader, unit.encoding);
    }
  }
  ranges_.clear();
  parsed.entry.named_by = entry_offset;
  if (!has_code_attributes(low, ranges_value)) return parsed;
  if (ranges_value.form != 0) {
    add_ranges(ranges_value, unit, ranges_);
  } else if (std::optional<Range> range = pc_range(low, high, unit)) {
    ranges_.push_back(*range);
  }
  std::erase_if(ranges_, [this](const Range& range) { return !code_->contains(range.start); });
  // What is inlined has no name of its own, and the same origin as its neighbours: look there at once.
  if (abbrev.tag == DW_TAG_inlined_subroutine) {
    std::optional<EntryReference> target = reference_of(origin, unit);
    if (target && target->file == unit.file) parsed.entry.named_by = target->offset;
  }
  return parsed;
}

// Finds the unit's functions. Bodies are jumped over where an entry says where it ends; functions within functions,
// which few languages have, are looked for only when an address is found nowhere else.
void FunctionIndex::walk_unit(bool into_functions) {
  walked_into_functions_ = into_functions;
  functions_.clear();
  map_ = IntervalMap();
  std::string_view bytes = unit_->file->entries_of(*unit_);
  if (!unit_->file->budget->spend(bytes.size())) return;
  ByteReader reader(bytes);
  int depth = 0;
  bool jumped = false;
  while (reader.ok() && !reader.at_end() && map_.pending() < kMaxRanges) {
    std::uint64_t entry_offset = unit_->first_entry + reader.offset();
    std::uint64_t kind = reader.uleb();
    if (kind == 0) {
      if (--depth <= 0) break;
      continue;
    }
    const Abbrev* abbrev = unit_->abbrevs->find(kind);
    if (!abbrev) break;
    if (abbrev->tag == DW_TAG_subprogram) {
      Parsed parsed = parse_function(*abbrev, entry_offset, reader);
      for (const Range& range : ranges_)
        map_.add(range.start, range.end, static_cast<std::uint32_t>(functions_.size()));
      if (!ranges_.empty()) functions_.push_back({entry_offset, parsed.entry, nullptr});
      bool forward = parsed.sibling > unit_->first_entry + reader.offset();
      if (abbrev->has_children && forward && !into_functions) {
        reader.seek(parsed.sibling - unit_->first_entry);
        jumped = true;
        continue;
      }
    } else if (abbrev->has_children && is_type(abbrev->tag)) {
      if (skip_with_children(*abbrev, reader, *unit_)) continue;
    } else {
      unit_->abbrevs->skip(*abbrev, reader, unit_->encoding);
    }
    depth += abbrev->has_children;
  }
  if (!jumped) walked_into_functions_ = true;
  map_.build();
  memory_ += functions_.size() * sizeof(Function) + map_.size() * 12;
}

void FunctionIndex::walk_function(Function& function) {
  function.inlined = std::make_unique<Inlined>();
  Inlined& inlined = *function.inlined;
  std::string_view bytes = unit_->file->entries_of(*unit_);
  ByteReader reader(bytes);
  reader.seek(function.entry_offset - unit_->first_entry);
  constexpr std::uint32_t kSelf = ~std::uint32_t{0};
  struct Scope {
    std::uint32_t function;  // index of the inlined call around the entries at this depth, or kSelf
    std::uint32_t depth;
    bool other;              // within a function of its own
  };
  std::vector<Scope> scopes;
  std::vector<std::uint32_t> parents;
  Scope current{kSelf, 0, false};
  std::size_t start = reader.offset();
  while (reader.ok() && !reader.at_end() && inlined.map.pending() < kMaxRanges) {
    std::uint64_t entry_offset = unit_->first_entry + reader.offset();
    std::uint64_t kind = reader.uleb();
    if (kind == 0) {
      if (scopes.empty()) break;
      current = scopes.back();
      scopes.pop_back();
      if (scopes.empty()) break;
      continue;
    }
    const Abbrev* abbrev = unit_->abbrevs->find(kind);
    if (!abbrev) break;
    Scope children = current;
    if (abbrev->tag == DW_TAG_inlined_subroutine && !current.other) {
      Parsed parsed = parse_function(*abbrev, entry_offset, reader);
      if (!ranges_.empty() && current.depth < kMaxInlineDepth) {
        children.function = static_cast<std::uint32_t>(inlined.entries.size());
        children.depth = current.depth + 1;
        for (const Range& range : ranges_) inlined.map.add(range.start, range.end, children.function);
        inlined.entries.push_back(parsed.entry);
        parents.push_back(current.function);
      }
    } else if (abbrev->has_children && is_type(abbrev->tag)) {
      if (skip_with_children(*abbrev, reader, *unit_)) continue;
    } else {
      children.other |= abbrev->tag == DW_TAG_subprogram && !scopes.empty();
      unit_->abbrevs->skip(*abbrev, reader, unit_->encoding);
    }
    if (abbrev->has_children) {
      scopes.push_back(current);
      current = children;
    } else if (scopes.empty()) {
      break;  // the function itself has no children
    }
  }
  unit_->file->budget->spend(reader.offset() - start);
  inlined.map.build();
  for (std::size_t i = 0; i < parents.size(); ++i)
    inlined.entries[i].parent = parents[i] == kSelf ? &function.self : &inlined.entries[parents[i]];
  memory_ += sizeof(Inlined) + inlined.entries.size() * sizeof(FunctionEntry) + inlined.map.size() * 12;
}

FunctionIndex::Function* FunctionIndex::function_at(std::uint64_t address) {
  if (!unit_) return nullptr;
  std::uint32_t number = map_.find(address);
  if (number == IntervalMap::kNone && !walked_into_functions_) {
    walk_unit(true);
    number = map_.find(address);
  }
  return number == IntervalMap::kNone ? nullptr : &functions_[number];
}

const FunctionEntry* FunctionIndex::outermost(std::uint64_t address) {
  Function* function = function_at(address);
  return function ? &function->self : nullptr;
}

const FunctionEntry* FunctionIndex::find(std::uint64_t address) {
  Function* function = function_at(address);
  if (!function) return nullptr;
  if (!function->inlined) walk_function(*function);
  std::uint32_t number = function->inlined->map.find(address);
  return number == IntervalMap::kNone ? &function->self : &function->inlined->entries[number];
}

ScopeIndex ScopeIndex::build(const Unit& unit) {
  ScopeIndex index;
  std::string_view bytes = unit.file->entries_of(unit);
  if (!unit.file->budget->spend(bytes.size())) return index;
  ByteReader reader(bytes);
  std::vector<std::uint32_t> around;
  std::uint32_t current = kNone;
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
    if (is_function && current != kNone && is_unlinked(*unit.abbrevs, *abbrev))
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
  for (std::uint32_t at = found->parent; at != kNone && result.size() < kMaxScopes; at = scopes_[at].parent)
    result.push_back(&scopes_[at]);
  std::reverse(result.begin(), result.end());
  return result;
}

}  // namespace dwell::dwarf
