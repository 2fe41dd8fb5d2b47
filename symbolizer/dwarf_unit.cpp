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

std::uint64_t read_offset(ByteReader& reader, Encoding encoding) {
  return encoding.offset_size == 8 ? reader.u64() : reader.u32();
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

Value read_value_slowly(const AttributeSpec& spec, ByteReader& reader, const Unit& unit) {
  Value value{spec.form, 0, {}};
  if (value.form == DW_FORM_indirect) {
    std::uint64_t actual = reader.uleb();
    if (actual == DW_FORM_indirect || actual == DW_FORM_implicit_const || actual > 0xffff) reader.fail();
    value.form = static_cast<std::uint16_t>(actual);
  }
  switch (value.form) {
    case DW_FORM_implicit_const: value.number = static_cast<std::uint64_t>(spec.implicit); return value;
    case DW_FORM_flag_present: value.number = 1; return value;
    case DW_FORM_string: value.text = reader.c_string(); return value;
    case DW_FORM_block:
    case DW_FORM_exprloc: value.text = reader.text(reader.uleb()); return value;
    case DW_FORM_block1: value.text = reader.text(reader.u8()); return value;
    case DW_FORM_block2: value.text = reader.text(reader.u16()); return value;
    case DW_FORM_block4: value.text = reader.text(reader.u32()); return value;
    case DW_FORM_data16: value.text = reader.text(16); return value;
    case DW_FORM_sdata: value.number = static_cast<std::uint64_t>(reader.sleb()); return value;
    default: break;
  }
  switch (fixed_form_size(value.form, unit.encoding)) {
    case 1: value.number = reader.u8(); break;
    case 2: value.number = reader.u16(); break;
    case 3: value.number = reader.u24(); break;
    case 4: value.number = reader.u32(); break;
    case 8: value.number = reader.u64(); break;
    default: {
      ByteReader at = reader;
      value.number = at.uleb();
      skip_form(value.form, reader, unit.encoding);
    }
  }
  return value;
}

std::string_view string_of(const Value& value, const Unit& unit) {
  DwarfFile& file = *unit.file;
  switch (value.form) {
    case DW_FORM_string: return value.text;
    case DW_FORM_strp: return file.str.c_string(value.number);
    case DW_FORM_line_strp: return file.line_str.c_string(value.number);
    case DW_FORM_strp_sup:
    case DW_FORM_GNU_strp_alt: {
      DwarfFile* other = file.supplementary ? file.supplementary() : nullptr;
      return other ? other->str.c_string(value.number) : std::string_view();
    }
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4:
    case DW_FORM_GNU_str_index: {
      if (value.number > file.str_offsets.size()) return {};
      std::uint64_t size = unit.encoding.offset_size;
      ByteReader reader(file.str_offsets.view(unit.str_offsets_base + value.number * size, size));
      std::uint64_t offset = read_offset(reader, unit.encoding);
      return reader.ok() ? file.str.c_string(offset) : std::string_view();
    }
    default: return {};
  }
}

std::optional<std::uint64_t> indexed_address(std::uint64_t index, const Unit& unit) {
  const Unit& owner = unit.of_program();
  if (index > owner.file->addr.size()) return std::nullopt;
  ByteReader reader(owner.file->addr.view(owner.addr_base + index * 8, 8));
  std::uint64_t address = reader.u64();
  return reader.ok() ? std::optional(address) : std::nullopt;
}

std::optional<std::uint64_t> address_of(const Value& value, const Unit& unit) {
  switch (value.form) {
    case DW_FORM_addr: return value.number;
    case DW_FORM_addrx:
    case DW_FORM_addrx1:
    case DW_FORM_addrx2:
    case DW_FORM_addrx3:
    case DW_FORM_addrx4:
    case DW_FORM_GNU_addr_index: return indexed_address(value.number, unit);
    default: return std::nullopt;
  }
}

std::optional<EntryReference> reference_of(const Value& value, const Unit& unit) {
  switch (value.form) {
    case DW_FORM_ref1:
    case DW_FORM_ref2:
    case DW_FORM_ref4:
    case DW_FORM_ref8:
    case DW_FORM_ref_udata: return EntryReference{unit.file, unit.offset + value.number};
    case DW_FORM_ref_addr: return EntryReference{unit.file, value.number};
    case DW_FORM_ref_sup4:
    case DW_FORM_ref_sup8:
    case DW_FORM_GNU_ref_alt: {
      DwarfFile* other = unit.file->supplementary ? unit.file->supplementary() : nullptr;
      return other ? std::optional(EntryReference{other, value.number}) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

std::optional<Range> pc_range(const Value& low, const Value& high, const Unit& unit) {
  std::optional<std::uint64_t> start = address_of(low, unit);
  if (!start || high.form == 0) return std::nullopt;
  std::optional<std::uint64_t> end = address_of(high, unit);
  if (!end) end = *start + high.number;
  if (*end <= *start) return std::nullopt;
  return Range{*start, *end};
}

namespace {

// .debug_ranges, up to DWARF 4.
void read_pairs(std::uint64_t offset, const Unit& unit, std::vector<Range>& result) {
  const Unit& owner = unit.of_program();
  LazyBytes& section = owner.file->ranges;
  std::uint64_t base = owner.low_pc.value_or(0);
  for (;; offset += 16) {
    ByteReader reader(section.view(offset, 16));
    std::uint64_t start = reader.u64(), end = reader.u64();
    if (!reader.ok() || (start == 0 && end == 0) || !unit.file->budget->spend(1)) return;
    if (start == ~std::uint64_t{0}) {
      base = end;
    } else if (end > start) {
      result.push_back({base + start, base + end});
    }
  }
}

// .debug_rnglists, from DWARF 5 on.
void read_list(std::uint64_t offset, const Unit& unit, std::vector<Range>& result) {
  LazyBytes& section = unit.file->rnglists;
  std::uint64_t base = unit.of_program().low_pc.value_or(0);
  // A list is short; where it is not, more is read.
  std::uint64_t length = 4096;
  ByteReader reader(section.up_to(offset, length));
  auto add = [&](std::optional<std::uint64_t> start, std::optional<std::uint64_t> end) {
    if (start && end && *end > *start) result.push_back({*start, *end});
  };
  for (;;) {
    if (!unit.file->budget->spend(1)) return;
    if (reader.remaining() < 32 && offset + length < section.size()) {
      offset += reader.offset();
      reader = ByteReader(section.up_to(offset, length));
    }
    std::uint8_t kind = reader.u8();
    if (!reader.ok() || kind == DW_RLE_end_of_list) return;
    switch (kind) {
      case DW_RLE_base_addressx: base = indexed_address(reader.uleb(), unit).value_or(0); break;
      case DW_RLE_startx_endx: {
        std::optional<std::uint64_t> start = indexed_address(reader.uleb(), unit);
        add(start, indexed_address(reader.uleb(), unit));
        break;
      }
      case DW_RLE_startx_length: {
        std::optional<std::uint64_t> start = indexed_address(reader.uleb(), unit);
        std::uint64_t size = reader.uleb();
        if (start) add(start, *start + size);
        break;
      }
      case DW_RLE_offset_pair: {
        std::uint64_t start = reader.uleb(), end = reader.uleb();
        add(base + start, base + end);
        break;
      }
      case DW_RLE_base_address: base = reader.u64(); break;
      case DW_RLE_start_end: {
        std::uint64_t start = reader.u64();
        add(start, reader.u64());
        break;
      }
      case DW_RLE_start_length: {
        std::uint64_t start = reader.u64();
        add(start, start + reader.uleb());
        break;
      }
      default: return;
    }
    if (!reader.ok()) {
      result.clear();
      return;
    }
  }
}

}  // namespace

void add_ranges(const Value& value, const Unit& unit, std::vector<Range>& result) {
  if (value.form == DW_FORM_rnglistx) {
    std::uint64_t size = unit.encoding.offset_size;
    if (value.number > unit.file->rnglists.size()) return;
    ByteReader reader(unit.file->rnglists.view(unit.rnglists_base + value.number * size, size));
    std::uint64_t offset = read_offset(reader, unit.encoding);
    if (reader.ok()) read_list(unit.rnglists_base + offset, unit, result);
  } else if (value.form == DW_FORM_sec_offset || value.form == DW_FORM_data4 || value.form == DW_FORM_data8) {
    // In DWARF 4 a split unit's ranges count from where the skeleton's begin.
    std::uint64_t base = unit.skeleton ? unit.skeleton->ranges_base : 0;
    if (unit.encoding.version >= 5) {
      read_list(value.number, unit, result);
    } else {
      read_pairs(base + value.number, unit, result);
    }
  }
}

}  // namespace dwell::dwarf
