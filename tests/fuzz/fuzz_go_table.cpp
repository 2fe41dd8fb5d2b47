// SPDX-License-Identifier: Apache-2.0
// Go's table of functions and lines, looked up all over the addresses that it may cover.
#include <cstdlib>
#include <string>

#include "symbolizer/go_file.h"
#include "symbolizer/go_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dwell::GoTable table =
      dwell::GoTable::parse(std::string(reinterpret_cast<const char*>(data), size), 0x401000);
  if (table.size() > size) std::abort();
  table.record(size);
  table.name_at(static_cast<std::uint32_t>(size));
  if (std::optional<std::size_t> header = dwell::find_go_table({reinterpret_cast<const char*>(data), size}); header && *header >= size) std::abort();
  for (std::uint64_t address = 0x401000; address < 0x401400; address += 13) {
    std::optional<dwell::GoFunction> found = table.find(address);
    if (std::optional<dwell::GoRecord> record = table.record_at(address)) {
      table.stack_depth(*record, address);
      table.argument_bytes(*record);
      std::uint64_t last = record->entry;
      for (const dwell::GoDepth& depth : table.stack_depths(*record)) {
        if (depth.end <= last) std::abort();
        last = depth.end;
      }
      for (std::uint32_t which = 0; which < 5; ++which) {
        if (table.address_value(*record, which, address) > table.highest_value(*record, which)) std::abort();
        table.data_offset(*record, which);
      }
    }
    if (found && (found->name.empty() || found->name.size() + found->file.size() > 2 * size)) std::abort();
  }
  return 0;
}
