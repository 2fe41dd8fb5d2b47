// SPDX-License-Identifier: Apache-2.0
// UnwindTable: how to unwind one module, as rows that the BPF programs can search.
//
// The call-site table holds only the rows in which a call can lie: all that is needed for return addresses,
// and 10 to 50 times smaller. The full table is for interrupted program counters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/unwind_tables.h"
#include "symbolizer/elf_file.h"
#include "userspace/base/result.h"
#include "userspace/unwind/eh_frame.h"

namespace dwell {

// Sorted by pc. A row's pc is relative to the table's base, its rule an index into the table's rules.
struct RowTable {
  std::vector<dwell_unwind_row> rows;
  // The row that holds at `pc`: the last that is not above it. Null: none.
  const dwell_unwind_row* at(std::uint32_t pc) const;
};

struct UnwindTable {
  std::uint64_t base = 0;         // page-aligned virtual address that pcs are relative to
  std::uint64_t size = 0;         // bytes of address space from base that have code
  std::vector<UnwindRule> rules;  // rules[0] is kNoRule
  RowTable calls;
  RowTable full;  // empty unless asked for
  std::size_t bad_entries = 0;

  // The rule at a virtual address of the module, from the full table; kNoRule where there is none.
  UnwindRule full_rule_at(std::uint64_t vaddr) const;
};

enum class TableRows { kCalls, kFull };

// Reads .eh_frame, and .debug_frame for what that leaves out. A module that has neither is no error: its
// table has no rows.
Result<UnwindTable> build_unwind_table(const ElfFile& elf, TableRows rows);

// The pieces, for tests.
std::vector<UnwindRow> merge_frames(FrameRows eh_frame, FrameRows debug_frame);
std::vector<UnwindRow> keep_call_rows(const std::vector<UnwindRow>& rows,
                                      const std::vector<std::uint64_t>& call_ends);

}  // namespace dwell
