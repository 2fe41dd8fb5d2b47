// SPDX-License-Identifier: Apache-2.0
// The sections of one file with DWARF in it, its units, and how attribute values are read from them.
//
// A DwarfFile is the program's own file, its separate debug file, a .dwo or .dwp with the bulk of a split unit,
// or a dwz supplementary file that others refer to. Not thread-safe: the Symbolizer locks a module.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/dwarf_abbrev.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/lazy_bytes.h"

namespace dwell::dwarf {

struct Range {
  std::uint64_t start, end;  // [start, end)
};

// Where code is; sorted. Few: a program has a handful of executable sections.
class CodeRanges {
 public:
  CodeRanges() = default;
  explicit CodeRanges(std::vector<Range> ranges) : ranges_(std::move(ranges)) {}
  bool contains(std::uint64_t address) const {
    for (const Range& range : ranges_) {
      if (address - range.start < range.end - range.start) return true;
    }
    return false;
  }

 private:
  std::vector<Range> ranges_;
};

// What a file may cost us, in bytes read and entries produced. Sections can be made to refer to one another so
// that reading them never ends; honest files stay far below.
class Budget {
 public:
  explicit Budget(std::uint64_t units) : left_(units) {}
  bool spend(std::uint64_t units) {
    if (units > left_) left_ = 0;
    else left_ -= units;
    return left_ > 0;
  }
  bool exhausted() const { return left_ == 0; }

 private:
  std::uint64_t left_;
};

struct DwarfFile;

struct Unit {
  DwarfFile* file = nullptr;
  std::uint64_t offset = 0;      // of the header in .debug_info
  std::uint64_t first_entry = 0; // of the unit's own entry
  std::uint64_t end = 0;
  Encoding encoding;
  std::uint8_t type = 0;  // DW_UT_*
  std::uint64_t dwo_id = 0;
  const AbbrevTable* abbrevs = nullptr;

  // From the unit's own entry.
  std::optional<std::uint64_t> low_pc;
  std::vector<Range> ranges;
  std::uint64_t str_offsets_base = 0, addr_base = 0, rnglists_base = 0, ranges_base = 0;
  std::optional<std::uint64_t> line_offset;
  std::string_view name, directory, dwo_name;

  // A split unit takes its addresses and its line table from the skeleton that stayed in the program.
  const Unit* skeleton = nullptr;

  const Unit& of_program() const { return skeleton ? *skeleton : *this; }
};

struct Value {
  std::uint16_t form = 0;
  std::uint64_t number = 0;
  std::string_view text;  // inline strings and blocks
};

struct EntryReference {
  DwarfFile* file = nullptr;
  std::uint64_t offset = 0;
};

// Names of one function, as far as they are known. Views into the file's sections.
struct FunctionName {
  std::string_view linkage, plain;
  // The entry that `plain` stands in: what is around it is found in the unit's FunctionIndex.
  DwarfFile* plain_file = nullptr;
  std::uint64_t plain_entry = 0;
};

// Where the parts of one split unit lie in a .dwp.
struct Contribution {
  std::uint64_t info = 0, abbrev = 0, str_offsets = 0, rnglists = 0;
};

struct DwarfFile {
  static std::unique_ptr<DwarfFile> open(std::shared_ptr<const ElfFile> elf, bool split, Budget* budget);

  std::shared_ptr<const ElfFile> elf;
  bool split = false;  // .dwo or .dwp: the sections' names end in ".dwo"
  Budget* budget = nullptr;
  LazyBytes info, abbrev, str, line_str, line, ranges, rnglists, addr, str_offsets, aranges, cu_index;
  // Opens the supplementary file at the first reference into it; null if there is none.
  std::function<DwarfFile*()> supplementary;

  // Reads the header at `offset`; null where there is none that we can read. Kept.
  Unit* unit_at(std::uint64_t offset, const Contribution* contribution = nullptr, const Unit* skeleton = nullptr);
  // Offsets of all units, in order.
  const std::vector<std::uint64_t>& unit_offsets();
  Unit* unit_containing(std::uint64_t offset);

  // Follows abstract origins and specifications. Kept.
  FunctionName function_name(std::uint64_t entry_offset, int hops = 0);

  // DW_AT_name of an entry; nothing if it has none.
  std::string_view plain_name(std::uint64_t entry_offset);

  // Names are kept for the units that are at work, not for all that ever were.
  void forget_names() { names_.clear(); }

  // All entries of a unit. They stay at hand, for the names, until those of another unit are asked for.
  std::string_view entries_of(const Unit& unit);

  std::uint64_t loaded() const;

 private:
  std::string_view entry_bytes(const Unit& unit, std::uint64_t entry_offset);
  bool read_header(Unit& unit, const Contribution* contribution);
  bool read_unit_entry(Unit& unit);
  const AbbrevTable* abbrev_table(std::uint64_t offset, Encoding encoding);

  std::map<std::uint64_t, std::unique_ptr<Unit>> units_;
  std::optional<std::vector<std::uint64_t>> unit_offsets_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::unique_ptr<AbbrevTable>> abbrev_tables_;
  absl::flat_hash_map<std::uint64_t, FunctionName> names_;
  std::deque<std::string> short_names_;  // those that stand in entries, which do not stay
  std::unique_ptr<char[]> buffer_;
  std::uint64_t buffer_capacity_ = 0;
  std::uint64_t at_hand_offset_ = 0;
  std::string_view at_hand_;
};

inline std::uint64_t read_offset(ByteReader& reader, Encoding encoding) {
  return encoding.offset_size == 8 ? reader.u64() : reader.u32();
}

Value read_value_slowly(const AttributeSpec& spec, ByteReader& reader, const Unit& unit);
inline Value read_value(const AttributeSpec& spec, ByteReader& reader, const Unit& unit) {
  switch (spec.size) {  // what nearly all values are
    case 1: return {spec.form, reader.u8(), {}};
    case 2: return {spec.form, reader.u16(), {}};
    case 4: return {spec.form, reader.u32(), {}};
    case 8: return {spec.form, reader.u64(), {}};
    default: return read_value_slowly(spec, reader, unit);
  }
}
std::string_view string_of(const Value& value, const Unit& unit);
std::optional<std::uint64_t> address_of(const Value& value, const Unit& unit);
std::optional<EntryReference> reference_of(const Value& value, const Unit& unit);
// The address at `index` of the unit's part of .debug_addr.
std::optional<std::uint64_t> indexed_address(std::uint64_t index, const Unit& unit);
// Appends what DW_AT_ranges stands for.
void add_ranges(const Value& value, const Unit& unit, std::vector<Range>& result);
// DW_AT_low_pc with DW_AT_high_pc, which is an address or a length.
std::optional<Range> pc_range(const Value& low, const Value& high, const Unit& unit);

}  // namespace dwell::dwarf
