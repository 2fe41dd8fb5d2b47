// SPDX-License-Identifier: Apache-2.0
// What a file with Go in it says of its code, symbols or none: where the table of functions lies, and the runtime's own
// description of the module (moduledata). Sections are tried first; position-independent programs and those without section
// headers are searched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "symbolizer/elf_file.h"

namespace dwell {

// By its sections; a program without any is not recognized.
bool is_go_file(const ElfFile& elf);

struct GoTableBytes {
  std::uint64_t vaddr = 0;
  std::string bytes;  // from the table's header on
};
std::optional<GoTableBytes> go_table_by_section(const ElfFile& elf);
// Reads all that is loaded of the file.
std::optional<GoTableBytes> go_table_by_search(const ElfFile& elf);

// Pure: where a function table begins in these bytes, from `from` on; steps over what only looks like one.
std::optional<std::size_t> find_go_table(std::string_view bytes, std::size_t from = 0);

// runtime.moduledata as the loader will make it: words by their offset.
class GoModuleData {
 public:
  // By the address of the function table, with which it begins. None: not found.
  static std::optional<GoModuleData> find(const ElfFile& elf, std::uint64_t table);

  std::uint64_t word(std::uint64_t offset) const;
  std::uint64_t text() const;  // where the module's Go code begins

 private:
  using Words = std::map<std::uint64_t, std::uint64_t>;
  explicit GoModuleData(Words words) : words_(std::move(words)) {}
  bool is_sound() const;
  static std::optional<GoModuleData> in_bytes(std::string_view data, std::uint64_t table);
  static std::optional<GoModuleData> in_relocations(std::string_view relocations, std::uint64_t table);

  Words words_;
};

}  // namespace dwell
