// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "symbolizer/go_inline.h"
#include "symbolizer/go_table.h"
#include "userspace/pairs/functions.h"

namespace dwell::pairs {
namespace {

// The table's records end where the next function begins; what lies between is padding, or even code that is not Go's.
std::uint64_t end_of_code(const GoTable& table, const GoRecord& record) {
  std::vector<GoDepth> depths = table.stack_depths(record);
  return depths.empty() ? record.end : std::min(record.end, depths.back().end);
}

std::string why_not(const GoTable& table, const GoRecord& record) {
  if (!table.is_since_118()) return "it was built with a Go older than 1.18: its arguments and results may be on the stack";
  return record.in_assembly ? "it is written in assembly: its arguments and results are on the stack" : "";
}

void describe(const GoTable& table, const GoRecord& record, FoundFunction& function) {
  function.go = true;
  function.size = end_of_code(table, record) - record.entry;
  function.refusal = why_not(table, record);
}

// Go code that the file's symbols name is known by the table; a pattern may have meant other names there.
void know_symbols(const GoTable& table, std::vector<FoundFunction>& found) {
  std::erase_if(found, [&](FoundFunction& one) {
    std::optional<GoRecord> record = table.record_at(one.vaddr);
    if (!record || record->entry != one.vaddr) return false;
    if (!go_name_matches(one.wanted->name, one.name) && !go_name_matches(one.wanted->name, record->name)) return true;
    describe(table, *record, one);
    return false;
  });
}

void add_function(const ElfFile& elf, const GoTable& table, const GoRecord& record, const PairFunction& wanted, std::vector<FoundFunction>& found) {
  auto is_known = [&](const FoundFunction& one) { return one.wanted == &wanted && one.vaddr == record.entry; };
  std::optional<std::uint64_t> offset = elf.offset_of_vaddr(record.entry);
  if (!offset || std::ranges::any_of(found, is_known)) return;
  FoundFunction& function = found.emplace_back();
  function.wanted = &wanted;
  function.name = record.name;
  function.vaddr = record.entry;
  function.file_offset = *offset;
  describe(table, record, function);
}

}  // namespace

void find_go_functions(std::shared_ptr<const ElfFile> elf, const std::vector<const PairFunction*>& wanted, std::vector<FoundFunction>& found,
                       std::vector<FoundCopy>& copies) {
  GoTable table = GoTable::read(*elf);
  know_symbols(table, found);
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::optional<GoRecord> record = table.record(i);
    for (const PairFunction* one : wanted)
      if (record && go_name_matches(one->name, record->name)) add_function(*elf, table, *record, *one, found);
  }
  for (const auto& [inlined, into] : GoInlining::find(elf, table).inlined(table))
    for (const PairFunction* one : wanted)
      if (go_name_matches(one->name, inlined)) copies.push_back({one, std::string(inlined), std::string(into)});
}

}  // namespace dwell::pairs
