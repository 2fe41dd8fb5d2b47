// SPDX-License-Identifier: Apache-2.0
// What attributes say: values by their form, strings, addresses, references and ranges (DWARF 5, sections 2.17 and 7.5).
#include <dwarf.h>

#include <algorithm>
#include <cstring>

#include "symbolizer/dwarf_unit.h"

namespace dwell::dwarf {

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
