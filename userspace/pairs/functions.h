// SPDX-License-Identifier: Apache-2.0
// Which functions of a module are those of a pair: by their names as the user would write them. Pure: an ELF file in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/elf_file.h"
#include "userspace/pairs/spec.h"

namespace dwell::pairs {

// Whether a symbol is meant by a name: "pool_get" by itself, "_ZN4Pool3getEi" by "Pool::get" and by "Pool::get(int)". Blanks make
// no difference, and * and ? stand for what shells have them for.
bool name_matches(std::string_view given, std::string_view symbol);

// The same for a function of Go, where (* is no wildcard: "main.(*Pool).Get" is that alone.
bool go_name_matches(std::string_view given, std::string_view function);

struct FoundFunction {
  const PairFunction* wanted = nullptr;
  std::string name;  // demangled, as reports have it
  std::uint64_t vaddr = 0, size = 0, file_offset = 0;
  bool weak = false;     // one of several definitions that are the same: inline functions, templates
  bool unwinds = false;  // it may be left by an exception or a panic: it is of C++ or Rust
  bool go = false;       // in the program's table of Go functions
  std::string refusal;   // of Go: why it can't be followed, however it is written; "": it can
};

// A copy that the compiler made of a wanted function, with other arguments or a part of its code: "pool_put.isra.0"; or, of Go, inside
// another function. What it takes and where can't be known, so its calls are not seen.
struct FoundCopy {
  const PairFunction* wanted = nullptr;
  std::string name;
  std::string inside;  // of Go: a function that it was inlined into
};
std::vector<FoundCopy> copies_in(const ElfFile& elf, const ElfFile* more, const std::vector<const PairFunction*>& wanted);

// One for each address. `more`: another file for the same code that knows more names, or null.
std::vector<FoundFunction> functions_in(const ElfFile& elf, const ElfFile* more, const std::vector<const PairFunction*>& wanted);

// Go functions by the program's own table, which stripped ones have too: added to `found`, or known in there. `copies`: those inlined.
void find_go_functions(std::shared_ptr<const ElfFile> elf, const std::vector<const PairFunction*>& wanted, std::vector<FoundFunction>& found,
                       std::vector<FoundCopy>& copies);

}  // namespace dwell::pairs
