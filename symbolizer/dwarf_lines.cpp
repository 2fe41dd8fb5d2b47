// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/dwarf_lines.h"

#include <dwarf.h>

#include <algorithm>

namespace dwell::dwarf {

namespace {
constexpr std::size_t kMaxRows = std::size_t{32} << 20;  // of one unit: 512 MB
constexpr std::size_t kBytesPerRow = 3;                  // what compilers write takes a little more
}

struct LineTable::Header {
  Unit encoding_of_table;  // forms are read as the table's own header says
  std::uint8_t minimum_length = 1, operations = 1, line_range = 1, opcode_base = 1;
  std::int8_t line_base = 0;
  std::vector<std::uint8_t> operand_counts;
};

LineTable LineTable::parse(const Unit& unit, const CodeRanges& code) {
  LineTable table;
  if (!unit.line_offset) return table;
  LazyBytes& section = unit.file->line;
  ByteReader probe(section.view(*unit.line_offset, 4));
  std::uint64_t length = probe.u32();
  std::uint64_t before = 4;
  if (length == 0xffffffff) {
    ByteReader wide(section.view(*unit.line_offset, 12));
    wide.skip(4);
    length = wide.u64();
    before = 12;
  }
  if (!unit.file->budget->spend(length)) return table;
  std::string_view bytes = section.view(*unit.line_offset, before + length);
  if (bytes.empty() || length > section.size()) return table;

  ByteReader reader(bytes);
  reader.skip(before);
  Header header;
  header.encoding_of_table.file = unit.file;
  header.encoding_of_table.encoding.offset_size = before == 12 ? 8 : 4;
  header.encoding_of_table.str_offsets_base = unit.str_offsets_base;
  if (table.parse_header(reader, header)) table.run_program(reader, unit, header, code);
  std::sort(table.sequences_.begin(), table.sequences_.end(),
            [](const LineSequence& a, const LineSequence& b) { return a.start < b.start; });
  return table;
}

bool LineTable::parse_header(ByteReader& reader, Header& header) {
  Unit& own = header.encoding_of_table;
  version_ = reader.u16();
  own.encoding.version = version_;
  if (version_ < 2 || version_ > 5) return false;
  if (version_ >= 5) {
    std::uint8_t address_size = reader.u8();
    reader.skip(1);
    if (address_size != 8) return false;
  }
  std::uint64_t header_length = own.encoding.offset_size == 8 ? reader.u64() : reader.u32();
  std::uint64_t program = reader.offset() + header_length;
  header.minimum_length = reader.u8();
  if (version_ >= 4) header.operations = reader.u8();
  reader.skip(1);  // default_is_stmt
  header.line_base = static_cast<std::int8_t>(reader.u8());
  header.line_range = reader.u8();
  header.opcode_base = reader.u8();
  for (int opcode = 1; opcode < header.opcode_base; ++opcode) header.operand_counts.push_back(reader.u8());
  if (!reader.ok() || header.line_range == 0 || header.opcode_base == 0) return false;
  bool named = version_ >= 5 ? parse_names_v5(reader, own, false) && parse_names_v5(reader, own, true)
                             : parse_names_v2(reader);
  if (!named) return false;
  reader.seek(program);
  return reader.ok();
}

bool LineTable::parse_names_v2(ByteReader& reader) {
  directories_.push_back({});  // number 0 is the unit's own directory
  for (;;) {
    std::string_view directory = reader.c_string();
    if (directory.empty()) break;
    directories_.push_back(directory);
  }
  files_.push_back({});
  for (;;) {
    std::string_view name = reader.c_string();
    if (name.empty()) break;
    std::uint64_t directory = reader.uleb();
    reader.skip_leb();
    reader.skip_leb();
    files_.push_back({name, directory});
  }
  return reader.ok();
}

bool LineTable::parse_names_v5(ByteReader& reader, const Unit& own, bool files) {
  std::vector<AttributeSpec> format;
  std::uint8_t columns = reader.u8();
  for (int i = 0; i < columns; ++i) {
    std::uint64_t content = reader.uleb(), form = reader.uleb();
    if (!reader.ok() || content > 0xffff || form > 0xffff) return false;
    std::uint16_t short_form = static_cast<std::uint16_t>(form);
    format.push_back({static_cast<std::uint16_t>(content), short_form,
                      static_cast<std::int8_t>(fixed_form_size(short_form, own.encoding)), 0});
  }
  std::uint64_t count = reader.uleb();
  if (!reader.ok() || count > reader.remaining()) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    LineFile row{};
    std::size_t before = reader.offset();
    for (const AttributeSpec& column : format) {
      Value value = read_value(column, reader, own);
      if (column.attribute == DW_LNCT_path) row.name = string_of(value, own);
      if (column.attribute == DW_LNCT_directory_index) row.directory = value.number;
    }
    // Rows that take no bytes could be as many as the table likes to say.
    if (!reader.ok() || reader.offset() == before) return false;
    if (files) {
      files_.push_back(row);
    } else {
      directories_.push_back(row.name);
    }
  }
  return true;
}

void LineTable::finish_sequence(std::uint64_t end, std::size_t first_row,
                                const CodeRanges& code) {
  if (first_row == rows_.size()) return;
  auto by_address = [](const LineRow& a, const LineRow& b) { return a.address < b.address; };
  if (!std::is_sorted(rows_.begin() + first_row, rows_.end(), by_address))
    std::stable_sort(rows_.begin() + first_row, rows_.end(), by_address);
  std::uint64_t start = rows_[first_row].address;
  if (end <= start || !code.contains(start)) {
    rows_.resize(first_row);
    return;
  }
  sequences_.push_back(
      {start, end, static_cast<std::uint32_t>(first_row), static_cast<std::uint32_t>(rows_.size())});
}

void LineTable::run_program(ByteReader& reader, const Unit& unit, const Header& header,
                            const CodeRanges& code) {
  std::uint64_t address = 0;
  std::uint64_t file = 1;
  std::uint32_t line = 1;
  std::size_t first_row = 0;
  auto reset = [&] {
    address = 0;
    file = 1;
    line = 1;
    first_row = rows_.size();
  };
  auto emit = [&] { rows_.push_back({address, static_cast<std::uint32_t>(file), line}); };
  auto extended = [&] {
    std::uint64_t length = reader.uleb();
    std::size_t next = reader.offset() + std::min<std::uint64_t>(length, reader.remaining());
    if (length == 0) return;
    switch (reader.u8()) {
      case DW_LNE_end_sequence:
        finish_sequence(address, first_row, code);
        reset();
        break;
      case DW_LNE_set_address:
        address = reader.u64();
        break;
      case DW_LNE_define_file: {
        std::string_view name = reader.c_string();
        files_.push_back({name, reader.uleb()});
        break;
      }
      default: break;
    }
    if (reader.ok()) reader.seek(next);
  };
  rows_.reserve(std::min(reader.remaining() / kBytesPerRow, kMaxRows));
  std::uint64_t advance_per_constant = std::uint64_t{(255u - header.opcode_base) / header.line_range} *
                                       header.minimum_length;
  while (reader.ok() && !reader.at_end() && rows_.size() < kMaxRows) {
    std::uint8_t opcode = reader.u8();
    if (opcode >= header.opcode_base) {
      unsigned adjusted = opcode - header.opcode_base;
      address += std::uint64_t{adjusted / header.line_range} * header.minimum_length;
      line += header.line_base + static_cast<int>(adjusted % header.line_range);
      emit();
      continue;
    }
    switch (opcode) {
      case 0: extended(); break;
      case DW_LNS_copy: emit(); break;
      case DW_LNS_advance_pc: address += reader.uleb() * header.minimum_length; break;
      case DW_LNS_advance_line: line += static_cast<std::uint32_t>(reader.sleb()); break;
      case DW_LNS_set_file: file = reader.uleb(); break;
      case DW_LNS_const_add_pc: address += advance_per_constant; break;
      case DW_LNS_fixed_advance_pc: address += reader.u16(); break;
      case DW_LNS_set_column:
      case DW_LNS_set_isa: reader.skip_leb(); break;
      case DW_LNS_negate_stmt:
      case DW_LNS_set_basic_block:
      case DW_LNS_set_prologue_end:
      case DW_LNS_set_epilogue_begin: break;
      default:
        for (int i = 0; i < header.operand_counts[opcode - 1]; ++i) reader.skip_leb();
    }
  }
  rows_.resize(first_row);  // what no end_sequence closed
  unit.file->budget->spend(rows_.size());
}

const LineRow* LineTable::find(std::uint64_t address) const {
  auto next = std::upper_bound(sequences_.begin(), sequences_.end(), address,
                               [](std::uint64_t a, const LineSequence& s) { return a < s.start; });
  if (next == sequences_.begin()) return nullptr;
  const LineSequence& sequence = *std::prev(next);
  if (address >= sequence.end) return nullptr;
  auto first = rows_.begin() + sequence.first_row, end = rows_.begin() + sequence.end_row;
  auto row = std::upper_bound(first, end, address, [](std::uint64_t a, const LineRow& r) { return a < r.address; });
  return row == first ? nullptr : &*std::prev(row);
}

std::vector<Range> LineTable::covered() const {
  std::vector<Range> result;
  for (const LineSequence& sequence : sequences_) result.push_back({sequence.start, sequence.end});
  return result;
}

std::string LineTable::path(std::uint64_t file, std::string_view unit_directory) const {
  if (file >= files_.size() || files_[file].name.empty()) return {};
  const LineFile& entry = files_[file];
  if (entry.name.front() == '/') return clean_path(entry.name);
  std::string_view directory = entry.directory < directories_.size() ? directories_[entry.directory] : "";
  // Builds that hide their folder ("-ffile-prefix-map=/build=.") cut it from both, so that joining them would
  // name the folder twice.
  bool both_cut = directory.starts_with("./") && unit_directory.starts_with("./");
  std::string path;
  if (!unit_directory.empty() && !directory.starts_with('/') && !both_cut &&
      !(version_ >= 5 && entry.directory == 0))
    path = std::string(unit_directory) + "/";
  if (!directory.empty()) path += std::string(directory) + "/";
  path += entry.name;
  return clean_path(path);
}

std::string clean_path(std::string_view path) {
  bool absolute = path.starts_with('/');
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    std::size_t slash = std::min(path.find('/'), path.size());
    std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(part);
    }
  }
  std::string result = absolute ? "/" : "";
  for (std::string_view part : parts) {
    if (result.size() > 1 || (result.size() == 1 && !absolute)) result += '/';
    result += part;
  }
  return result;
}

}  // namespace dwell::dwarf
