// SPDX-License-Identifier: Apache-2.0
// GoInlining: which calls of a Go program were inlined where. The tables for that lie in its read-only data, and stay
// when symbols and debug information are stripped. Go 1.18 and later.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "symbolizer/elf_file.h"
#include "symbolizer/go_table.h"

namespace dwell {

class GoInlining {
 public:
  GoInlining() = default;
  // Both outlive it. Empty where the tables are not found.
  static GoInlining find(std::shared_ptr<const ElfFile> elf, const GoTable& table);

  bool empty() const { return !base_; }
  // The calls at this address, innermost first; the last is the function itself. Empty if it is in no function.
  std::vector<GoFunction> calls_at(const GoTable& table, std::uint64_t vaddr) const;
  // Every function that is inlined anywhere, and one that it is inlined into. Names live as long as the table.
  std::unordered_map<std::string_view, std::string_view> inlined(const GoTable& table) const;

 private:
  std::string tree_of(const GoTable& table, const GoRecord& record, std::int64_t first, std::int64_t last) const;
  bool fits(const GoTable& table) const;
  bool add_inlined(const GoTable& table, const GoRecord& record, std::uint64_t& vaddr,
                   std::vector<GoFunction>& calls) const;

  std::shared_ptr<const ElfFile> elf_;
  std::uint64_t base_ = 0;  // what the functions' tables are counted from
};

}  // namespace dwell
