// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dwarf_unit.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>

namespace dwell::dwarf {

namespace {

constexpr int kMaxHops = 16;  // origin -> specification -> ...: two or three in what compilers write
constexpr std::uint64_t kMaxEntry = std::uint64_t{8} << 10;  // of one entry: names and numbers, a few dozen bytes
constexpr std::uint64_t kAbbrevPiece = std::uint64_t{64} << 10;

struct Length {
  std::uint64_t bytes = 0;
  std::uint8_t offset_size = 4;
};

Length read_length(ByteReader& reader) {
  std::uint64_t length = reader.u32();
  if (length < 0xfffffff0) return {length, 4};
  if (length != 0xffffffff) reader.fail();
  return {reader.u64(), 8};
}

std::string section_name(const char* name, bool split) { return std::string(name) + (split ? ".dwo" : ""); }

}  // namespace

std::unique_ptr<DwarfFile> DwarfFile::open(std::shared_ptr<const ElfFile> elf, bool split, Budget* budget) {
  auto file = std::make_unique<DwarfFile>();
  auto section = [&](const char* name) { return LazyBytes::of_section(elf, section_name(name, split)); };
  file->elf = elf;
  file->split = split;
  file->budget = budget;
  file->info = section(".debug_info");
  file->abbrev = section(".debug_abbrev");
  file->str = section(".debug_str");
  file->line_str = section(".debug_line_str");
  file->line = section(".debug_line");
  file->rnglists = section(".debug_rnglists");
  file->str_offsets = section(".debug_str_offsets");
  file->ranges = LazyBytes::of_section(elf, ".debug_ranges");
  file->addr = LazyBytes::of_section(elf, ".debug_addr");
  file->aranges = LazyBytes::of_section(elf, ".debug_aranges");
  file->cu_index = LazyBytes::of_section(elf, ".debug_cu_index");
  return file;
}

std::uint64_t DwarfFile::loaded() const {
  std::uint64_t total = 0;
  for (const LazyBytes* bytes : {&info, &abbrev, &str, &line_str, &line, &ranges, &rnglists, &addr, &str_offsets,
                                 &aranges, &cu_index})
    total += bytes->loaded();
  return total;
}

const AbbrevTable* DwarfFile::abbrev_table(std::uint64_t offset, Encoding encoding) {
  std::uint32_t kind = encoding.offset_size | (encoding.version <= 2 ? 16 : 0);
  std::unique_ptr<AbbrevTable>& table = abbrev_tables_[{offset, kind}];
  if (table) return table->ok() ? table.get() : nullptr;
  table = std::make_unique<AbbrevTable>();
  for (std::uint64_t length = kAbbrevPiece;; length *= 8) {
    std::string_view bytes = abbrev.up_to(offset, length);
    *table = AbbrevTable::parse(bytes, encoding);
    bool complete = bytes.size() < length;
    if (!budget->spend(bytes.size())) return nullptr;
    if (table->ok() || complete) break;
  }
  return table->ok() ? table.get() : nullptr;
}

bool DwarfFile::read_header(Unit& unit, const Contribution* contribution) {
  char header[48] = {};
  std::uint64_t available = std::min<std::uint64_t>(sizeof header, info.size() - std::min(info.size(), unit.offset));
  if (available < 11 || !info.peek(unit.offset, header, available)) return false;
  ByteReader reader(std::string_view(header, available));
  Length length = read_length(reader);
  std::uint64_t after_length = reader.offset();
  if (!reader.ok() || length.bytes > info.size() - unit.offset - after_length) return false;
  unit.end = unit.offset + after_length + length.bytes;
  unit.encoding.offset_size = length.offset_size;
  unit.encoding.version = reader.u16();
  if (unit.encoding.version < 2 || unit.encoding.version > 5) return false;
  unit.type = unit.encoding.version >= 5 ? reader.u8() : static_cast<std::uint8_t>(DW_UT_compile);
  std::uint8_t address_size = unit.encoding.version >= 5 ? reader.u8() : 0;
  std::uint64_t abbrev_offset = read_offset(reader, unit.encoding);
  if (unit.encoding.version < 5) address_size = reader.u8();
  if (address_size != 8) return false;
  if (unit.type == DW_UT_skeleton || unit.type == DW_UT_split_compile) unit.dwo_id = reader.u64();
  if (unit.type == DW_UT_type || unit.type == DW_UT_split_type) reader.skip(8 + length.offset_size);
  unit.first_entry = unit.offset + reader.offset();
  if (!reader.ok() || unit.first_entry > unit.end) return false;
  unit.abbrevs = abbrev_table(abbrev_offset + (contribution ? contribution->abbrev : 0), unit.encoding);
  return unit.abbrevs != nullptr;
}

bool DwarfFile::read_unit_entry(Unit& unit) {
  std::string_view bytes = info.up_to(unit.first_entry, std::min(unit.end - unit.first_entry, kMaxEntry));
  ByteReader reader(bytes);
  const Abbrev* abbrev_of_unit = unit.abbrevs->find(reader.uleb());
  if (!abbrev_of_unit) return false;
  Value low, high, ranges_value, name, directory, dwo_name;
  for (std::uint32_t i = 0; i < abbrev_of_unit->spec_count; ++i) {
    const AttributeSpec& spec = unit.abbrevs->specs(*abbrev_of_unit)[i];
    Value value = read_value(spec, reader, unit);
    switch (spec.attribute) {
      case DW_AT_low_pc: low = value; break;
      case DW_AT_high_pc: high = value; break;
      case DW_AT_ranges: ranges_value = value; break;
      case DW_AT_name: name = value; break;
      case DW_AT_comp_dir: directory = value; break;
      case DW_AT_dwo_name:
      case DW_AT_GNU_dwo_name: dwo_name = value; break;
      case DW_AT_GNU_dwo_id: unit.dwo_id = value.number; break;
      case DW_AT_stmt_list: unit.line_offset = value.number; break;
      case DW_AT_str_offsets_base: unit.str_offsets_base = value.number; break;
      case DW_AT_addr_base:
      case DW_AT_GNU_addr_base: unit.addr_base = value.number; break;
      case DW_AT_rnglists_base: unit.rnglists_base = value.number; break;
      case DW_AT_GNU_ranges_base: unit.ranges_base = value.number; break;
      default: break;
    }
  }
  if (!reader.ok()) return false;
  // Only now: the bases that strings, addresses and ranges need may stand behind them.
  unit.name = string_of(name, unit);
  unit.directory = string_of(directory, unit);
  unit.dwo_name = string_of(dwo_name, unit);
  unit.low_pc = address_of(low, unit);
  if (ranges_value.form != 0) {
    add_ranges(ranges_value, unit, unit.ranges);
  } else if (std::optional<Range> range = pc_range(low, high, unit)) {
    unit.ranges.push_back(*range);
  }
  return true;
}

Unit* DwarfFile::unit_at(std::uint64_t offset, const Contribution* contribution, const Unit* skeleton) {
  auto [position, fresh] = units_.try_emplace(offset);
  if (!fresh) return position->second.get();
  auto unit = std::make_unique<Unit>();
  unit->file = this;
  unit->offset = offset;
  unit->skeleton = skeleton;
  if (!read_header(*unit, contribution)) return nullptr;
  // Tables of a split unit start behind a header that nothing points past: 8 bytes of .debug_str_offsets.dwo,
  // 12 of .debug_rnglists.dwo (16 and 20 in 64-bit DWARF).
  bool wide = unit->encoding.offset_size == 8;
  if (split) {
    bool has_headers = unit->encoding.version >= 5;
    unit->str_offsets_base = (contribution ? contribution->str_offsets : 0) + (has_headers ? (wide ? 16 : 8) : 0);
    unit->rnglists_base = (contribution ? contribution->rnglists : 0) + (wide ? 20 : 12);
  }
  if (!read_unit_entry(*unit) || !budget->spend(64)) return nullptr;
  position->second = std::move(unit);
  return position->second.get();
}

const std::vector<std::uint64_t>& DwarfFile::unit_offsets() {
  if (unit_offsets_) return *unit_offsets_;
  unit_offsets_.emplace();
  for (std::uint64_t offset = 0; offset < info.size();) {
    char header[12] = {};
    std::uint64_t available = std::min<std::uint64_t>(sizeof header, info.size() - offset);
    if (!info.peek(offset, header, available)) break;
    ByteReader reader(std::string_view(header, available));
    Length length = read_length(reader);
    if (!reader.ok() || length.bytes > info.size() - offset - reader.offset() || !budget->spend(1)) break;
    unit_offsets_->push_back(offset);
    offset += reader.offset() + length.bytes;
  }
  return *unit_offsets_;
}

Unit* DwarfFile::unit_containing(std::uint64_t offset) {
  // Most references stay within units that are already known.
  auto known = units_.upper_bound(offset);
  if (known != units_.begin()) {
    Unit* unit = std::prev(known)->second.get();
    if (unit && offset < unit->end) return unit;
  }
  const std::vector<std::uint64_t>& offsets = unit_offsets();
  auto next = std::upper_bound(offsets.begin(), offsets.end(), offset);
  return next == offsets.begin() ? nullptr : unit_at(*std::prev(next));
}

FunctionName DwarfFile::function_name(std::uint64_t entry_offset, int hops) {
  auto known = names_.find(entry_offset);
  if (known != names_.end()) return known->second;
  FunctionName result;
  Unit* unit = hops < kMaxHops && budget->spend(16) ? unit_containing(entry_offset) : nullptr;
  if (!unit || entry_offset < unit->first_entry) return result;
  ByteReader reader(entry_bytes(*unit, entry_offset));
  const Abbrev* found = unit->abbrevs->find(reader.uleb());
  std::optional<EntryReference> origin;
  for (std::uint32_t i = 0; found && i < found->spec_count && reader.ok(); ++i) {
    const AttributeSpec& spec = unit->abbrevs->specs(*found)[i];
    switch (spec.attribute) {
      case DW_AT_linkage_name:
      case DW_AT_MIPS_linkage_name: result.linkage = string_of(read_value(spec, reader, *unit), *unit); break;
      case DW_AT_name:
        result.plain = string_of(read_value(spec, reader, *unit), *unit);
        result.plain_file = this;
        result.plain_entry = entry_offset;
        break;
      case DW_AT_abstract_origin:
      case DW_AT_specification: origin = reference_of(read_value(spec, reader, *unit), *unit); break;
      default: skip_value(spec, reader, unit->encoding);
    }
  }
  if (origin && (result.linkage.empty() || result.plain.empty())) {
    FunctionName inherited = origin->file->function_name(origin->offset, hops + 1);
    if (result.linkage.empty()) result.linkage = inherited.linkage;
    if (result.plain.empty()) {
      result.plain = inherited.plain;
      result.plain_file = inherited.plain_file;
      result.plain_entry = inherited.plain_entry;
    }
  }
  for (std::string_view* name : {&result.linkage, &result.plain}) {
    bool in_entry = name->data() >= at_hand_.data() && name->data() < at_hand_.data() + at_hand_.size();
    if (in_entry && !name->empty()) *name = short_names_.emplace_back(*name);
  }
  names_.emplace(entry_offset, result);
  return result;
}

std::string_view DwarfFile::entries_of(const Unit& unit) {
  if (at_hand_.empty() || at_hand_offset_ != unit.first_entry) {
    at_hand_offset_ = unit.first_entry;
    at_hand_ = info.read_into(unit.first_entry, unit.end - unit.first_entry, buffer_, buffer_capacity_);
  }
  return at_hand_;
}

std::string_view DwarfFile::entry_bytes(const Unit& unit, std::uint64_t entry_offset) {
  if (at_hand_offset_ == unit.first_entry && entry_offset - at_hand_offset_ < at_hand_.size())
    return at_hand_.substr(entry_offset - at_hand_offset_);
  return info.up_to(entry_offset, std::min(unit.end - entry_offset, kMaxEntry));
}

std::string_view DwarfFile::plain_name(std::uint64_t entry_offset) {
  Unit* unit = budget->spend(16) ? unit_containing(entry_offset) : nullptr;
  if (!unit || entry_offset < unit->first_entry) return {};
  ByteReader reader(entry_bytes(*unit, entry_offset));
  const Abbrev* found = unit->abbrevs->find(reader.uleb());
  for (std::uint32_t i = 0; found && i < found->spec_count; ++i) {
    const AttributeSpec& spec = unit->abbrevs->specs(*found)[i];
    Value value = read_value(spec, reader, *unit);
    if (reader.ok() && spec.attribute == DW_AT_name) return string_of(value, *unit);
  }
  return {};
}

}  // namespace dwell::dwarf
