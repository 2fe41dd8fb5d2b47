// SPDX-License-Identifier: Apache-2.0
// A whole ELF file, up to the table that would be given to the kernel.
#include <cstdlib>
#include <string>

#include "userspace/unwind/unwind_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dwell;
  Result<ElfFile> elf = ElfFile::from_bytes(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!elf) return 0;
  Result<UnwindTable> table = build_unwind_table(*elf, TableRows::kFull);
  if (!table) return 0;
  for (const RowTable* rows : {&table->calls, &table->full})
    for (std::size_t i = 0; i < rows->rows.size(); i++) {
      if (rows->rows[i].rule >= table->rules.size() || rows->rows[i].pc >= table->size) std::abort();
      if (i > 0 && rows->rows[i].pc <= rows->rows[i - 1].pc) std::abort();
    }
  return 0;
}
