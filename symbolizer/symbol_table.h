// SPDX-License-Identifier: Apache-2.0
// SymbolTable: address to the name of the function around it, from ELF symbols. Of several names for one address
// the exported one wins, because it is the one that people call: malloc, not __libc_malloc.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/elf_file.h"
#include "symbolizer/interval_map.h"

namespace dwell {

struct FunctionSymbol {
  std::string_view name;  // lives as long as the table
  std::uint64_t start = 0;
  bool exported = false;
  bool resolver = false;  // STT_GNU_IFUNC: the code here chooses an implementation
};

struct AddressRange {
  std::uint64_t start, end;
};

class SymbolTable {
 public:
  // `code` bounds symbols that do not say how long they are. All files share one address space; the table keeps
  // them, for their names.
  static SymbolTable build(std::vector<std::shared_ptr<const ElfFile>> files, std::vector<AddressRange> code);

  const FunctionSymbol* find(std::uint64_t address) const;
  std::size_t size() const { return symbols_.size(); }
  std::uint32_t index_of(const FunctionSymbol* symbol) const {
    return static_cast<std::uint32_t>(symbol - symbols_.data());
  }

 private:
  struct Candidate;
  static std::vector<const Candidate*> by_address(const std::vector<Candidate>& candidates);
  void add_groups(std::span<const Candidate* const> candidates, const std::vector<AddressRange>& code);

  std::vector<std::shared_ptr<const ElfFile>> files_;
  std::deque<std::string> own_names_;  // "malloc@plt"
  std::vector<FunctionSymbol> symbols_;
  IntervalMap functions_;
  IntervalMap labels_;  // untyped symbols, where no function is
};

// Ranges of executable sections, or of executable segments where there are no sections; sorted.
std::vector<AddressRange> code_ranges(const ElfFile& elf);

// Stubs of the procedure linkage table: where each is and what it calls.
struct PltStub {
  std::uint64_t start, size;
  std::string target;
};
std::vector<PltStub> plt_stubs(const std::shared_ptr<const ElfFile>& elf);

}  // namespace dwell
