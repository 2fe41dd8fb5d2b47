// SPDX-License-Identifier: Apache-2.0
// GoTable: Go's own table of functions and lines (.gopclntab), which stays in a program when its symbols and
// its debug information were stripped. Go 1.16 and later.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/elf_file.h"

namespace dwell {

struct GoFunction {
  std::string_view name, file;  // live as long as the table
  std::uint32_t line = 0;
};

// One function's record. What a program needs at run time hangs on it: how deep the stack is at each address,
// and, in Go 1.18 and later, numbered tables of values by address and of offsets into the module's read-only
// data.
struct GoRecord {
  std::uint64_t entry = 0, end = 0;
  std::string_view name;     // lives as long as the table
  std::uint64_t offset = 0;  // of the record in the table
  std::uint8_t id = 0;       // which function of the runtime, or of the compiler's making, it is
  bool is_root = false;      // a stack ends here
  bool in_assembly = false;  // its arguments are on the stack
};

// Up to `end` the return address lies this many bytes above the stack pointer.
struct GoDepth {
  std::uint64_t end;
  std::int64_t depth;
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
  std::uint64_t vaddr() const { return vaddr_; }  // of the table itself, if it was read from a file

  std::optional<GoRecord> record_at(std::uint64_t address) const;
  std::optional<GoRecord> record(std::size_t number) const;
  // Bytes between the stack pointer and the return address, at this address in the function.
  std::optional<std::int64_t> stack_depth(const GoRecord& record, std::uint64_t address) const;
  // The same for all of the function, from its entry on.
  std::vector<GoDepth> stack_depths(const GoRecord& record) const;
  std::int32_t argument_bytes(const GoRecord& record) const;
  // Go 1.18 and later. -1 means none.
  std::int64_t address_value(const GoRecord& record, std::uint32_t which, std::uint64_t address) const;
  std::int64_t highest_value(const GoRecord& record, std::uint32_t which) const;  // of all of the function
  std::optional<std::uint32_t> data_offset(const GoRecord& record, std::uint32_t which) const;
  // File and line of the code, before inlined calls are taken apart.
  GoFunction place(const GoRecord& record, std::uint64_t address) const;
  std::string_view name_at(std::uint32_t offset) const { return text_at(names_ + offset); }
  // Names by offset, the start line in function records: Go 1.20 and later.
  bool is_since_120() const { return since_120_; }
  bool is_since_118() const { return !wide_; }

 private:
  std::uint64_t entry(std::size_t number) const;
  template <typename Visit>
  void for_each_value(std::uint64_t table, std::uint64_t start, Visit visit) const;
  std::optional<std::int64_t> value_at(std::uint64_t table, std::uint64_t start, std::uint64_t address) const;
  std::string_view text_at(std::uint64_t offset) const;
  std::uint64_t address_table(const GoRecord& record, std::uint32_t which) const;  // 0: none
  std::uint64_t first_field(const GoRecord& record) const;
  std::uint32_t field(const GoRecord& record, int which) const;
  std::uint64_t record_size() const { return since_120_ ? 44 : 40; }
  template <typename T>
  T number_at(std::uint64_t offset) const;

  std::string bytes_;
  std::uint64_t text_ = 0, vaddr_ = 0;
  std::size_t count_ = 0;
  bool since_120_ = false;
  bool wide_ = false;  // entries are addresses (1.16), not offsets from the start of the code
  std::uint8_t step_ = 1;
  std::uint64_t names_ = 0, units_ = 0, files_ = 0, values_ = 0, functions_ = 0;
};

}  // namespace dwell
