// SPDX-License-Identifier: Apache-2.0
// Line table of one unit: address to file and line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/dwarf_unit.h"

namespace dwell::dwarf {

struct LineRow {
  std::uint64_t address;
  std::uint32_t file;
  std::uint32_t line;
};

struct LineSequence {
  std::uint64_t start, end;
  std::uint32_t first_row, end_row;
};

struct LineFile {
  std::string_view name;
  std::uint64_t directory;
};

class LineTable {
 public:
  // Sequences that do not start in `code` are those of functions that the linker dropped.
  static LineTable parse(const Unit& unit, const CodeRanges& code);

  const LineRow* find(std::uint64_t address) const;
  // The path of a file number, directories put in front; "" if there is none.
  std::string path(std::uint64_t file, std::string_view unit_directory) const;
  // Addresses that the table says something about.
  std::vector<Range> covered() const;
  std::size_t memory() const { return rows_.size() * sizeof(LineRow) + files_.size() * sizeof(LineFile); }

 private:
  struct Header;
  bool parse_header(ByteReader& reader, Header& header);
  bool parse_names_v2(ByteReader& reader);
  bool parse_names_v5(ByteReader& reader, const Unit& unit, bool files);
  void run_program(ByteReader& reader, const Unit& unit, const Header& header,
                   const CodeRanges& code);
  void finish_sequence(std::uint64_t end, std::size_t first_row, const CodeRanges& code);

  std::uint16_t version_ = 0;
  std::vector<std::string_view> directories_;
  std::vector<LineFile> files_;
  std::vector<LineRow> rows_;
  std::vector<LineSequence> sequences_;  // by start
};

// Takes "." and ".." and doubled slashes out of a path.
std::string clean_path(std::string_view path);

}  // namespace dwell::dwarf
