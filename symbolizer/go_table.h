// SPDX-License-Identifier: Apache-2.0
// GoTable: Go's own table of functions and lines (.gopclntab), which stays in a program when its symbols and its
// debug information were stripped. Go 1.16 and later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "symbolizer/elf_file.h"

namespace dwell {

struct GoFunction {
  std::string_view name, file;  // live as long as the table
  std::uint32_t line = 0;
};

class GoTable {
 public:
  // Empty if the file has no such table, or one of an older or unknown form.
  static GoTable read(const ElfFile& elf);
  // `text` is where the program's code starts; the table of a position-independent program may not say so.
  static GoTable parse(std::string bytes, std::uint64_t text);

  // The function around the address and the line of the code there, which may be that of an inlined call.
  std::optional<GoFunction> find(std::uint64_t address) const;
  std::size_t size() const { return count_; }

 private:
  std::uint64_t entry(std::size_t number) const;
  std::optional<std::int64_t> value_at(std::uint64_t table, std::uint64_t start, std::uint64_t address) const;
  std::string_view text_at(std::uint64_t offset) const;
  template <typename T>
  T number_at(std::uint64_t offset) const;

  std::string bytes_;
  std::uint64_t text_ = 0;
  std::size_t count_ = 0;
  bool wide_ = false;  // entries are addresses (1.16), not offsets from the start of the code
  std::uint8_t step_ = 1;
  std::uint64_t names_ = 0, units_ = 0, files_ = 0, values_ = 0, functions_ = 0;
};

}  // namespace dwell
