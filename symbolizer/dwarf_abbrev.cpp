// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dwarf_abbrev.h"

#include <dwarf.h>

namespace dwell::dwarf {

int fixed_form_size(std::uint16_t form, Encoding encoding) {
  switch (form) {
    case DW_FORM_flag_present:
    case DW_FORM_implicit_const:
      return 0;
    case DW_FORM_data1:
    case DW_FORM_ref1:
    case DW_FORM_flag:
    case DW_FORM_strx1:
    case DW_FORM_addrx1:
      return 1;
    case DW_FORM_data2:
    case DW_FORM_ref2:
    case DW_FORM_strx2:
    case DW_FORM_addrx2:
      return 2;
    case DW_FORM_strx3:
    case DW_FORM_addrx3:
      return 3;
    case DW_FORM_data4:
    case DW_FORM_ref4:
    case DW_FORM_strx4:
    case DW_FORM_addrx4:
    case DW_FORM_ref_sup4:
      return 4;
    case DW_FORM_data8:
    case DW_FORM_ref8:
    case DW_FORM_ref_sig8:
    case DW_FORM_ref_sup8:
    case DW_FORM_addr:
      return 8;
    case DW_FORM_data16:
      return 16;
    case DW_FORM_sec_offset:
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strp_sup:
    case DW_FORM_GNU_ref_alt:
    case DW_FORM_GNU_strp_alt:
      return encoding.offset_size;
    case DW_FORM_ref_addr:
      return encoding.version <= 2 ? 8 : encoding.offset_size;
    default:
      return -1;
  }
}

void skip_form(std::uint16_t form, ByteReader& reader, Encoding encoding) {
  int size = fixed_form_size(form, encoding);
  if (size >= 0) return reader.skip(size);
  switch (form) {
    case DW_FORM_udata:
    case DW_FORM_sdata:
    case DW_FORM_ref_udata:
    case DW_FORM_strx:
    case DW_FORM_addrx:
    case DW_FORM_loclistx:
    case DW_FORM_rnglistx:
    case DW_FORM_GNU_addr_index:
    case DW_FORM_GNU_str_index:
      return reader.skip_leb();
    case DW_FORM_block:
    case DW_FORM_exprloc:
      return reader.skip(reader.uleb());
    case DW_FORM_block1:
      return reader.skip(reader.u8());
    case DW_FORM_block2:
      return reader.skip(reader.u16());
    case DW_FORM_block4:
      return reader.skip(reader.u32());
    case DW_FORM_string:
      reader.c_string();
      return;
    case DW_FORM_indirect: {
      std::uint64_t actual = reader.uleb();
      // An indirect form that names itself would never end.
      if (actual == DW_FORM_indirect || actual == DW_FORM_implicit_const || actual > 0xffff) return reader.fail();
      return skip_form(static_cast<std::uint16_t>(actual), reader, encoding);
    }
    default:
      return reader.fail();
  }
}

AbbrevTable AbbrevTable::parse(std::string_view bytes, Encoding encoding) {
  AbbrevTable table;
  ByteReader reader(bytes);
  while (reader.ok()) {
    Abbrev abbrev;
    abbrev.code = reader.uleb();
    if (abbrev.code == 0) break;
    abbrev.tag = static_cast<std::uint16_t>(reader.uleb());
    abbrev.has_children = reader.u8() != 0;
    abbrev.first_spec = static_cast<std::uint32_t>(table.specs_.size());
    for (;;) {
      std::uint64_t attribute = reader.uleb();
      std::uint64_t form = reader.uleb();
      std::int64_t implicit = form == DW_FORM_implicit_const ? reader.sleb() : 0;
      if (!reader.ok() || (attribute == 0 && form == 0)) break;
      if (attribute > 0xffff || form > 0xffff) return table;
      std::uint16_t short_form = static_cast<std::uint16_t>(form);
      table.specs_.push_back({static_cast<std::uint16_t>(attribute), short_form,
                              static_cast<std::int8_t>(fixed_form_size(short_form, encoding)), implicit});
    }
    abbrev.spec_count = static_cast<std::uint32_t>(table.specs_.size()) - abbrev.first_spec;
    table.add_steps(abbrev);
    if (abbrev.code != table.abbrevs_.size() + 1) table.sparse_.emplace(abbrev.code, table.abbrevs_.size());
    table.abbrevs_.push_back(abbrev);
  }
  table.ok_ = reader.ok();
  table.parsed_bytes_ = reader.offset();
  return table;
}

void AbbrevTable::add_steps(Abbrev& abbrev) {
  abbrev.first_step = static_cast<std::uint32_t>(steps_.size());
  SkipStep step{0, 0};
  for (std::uint32_t i = 0; i < abbrev.spec_count; ++i) {
    const AttributeSpec& spec = specs_[abbrev.first_spec + i];
    if (spec.size >= 0) {
      step.bytes += spec.size;
      continue;
    }
    step.form = spec.form;
    steps_.push_back(step);
    step = {0, 0};
  }
  steps_.push_back(step);
  abbrev.step_count = static_cast<std::uint32_t>(steps_.size()) - abbrev.first_step;
}

void AbbrevTable::skip(const Abbrev& abbrev, ByteReader& reader, Encoding encoding) const {
  const SkipStep* step = steps_.data() + abbrev.first_step;
  for (const SkipStep* end = step + abbrev.step_count; step != end; ++step) {
    reader.skip(step->bytes);
    if (step->form == DW_FORM_exprloc) {
      reader.skip(reader.uleb());
    } else if (step->form != 0) {
      skip_form(step->form, reader, encoding);
    }
  }
}

const Abbrev* AbbrevTable::find_sparse(std::uint64_t code) const {
  auto found = sparse_.find(code);
  return found == sparse_.end() ? nullptr : &abbrevs_[found->second];
}

}  // namespace dwell::dwarf
