// SPDX-License-Identifier: Apache-2.0
// A recording in which each allocation has a stack of its own: walks of 24 calls through two functions that call each
// other, as in parsers and interpreters. Half of the blocks stay.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/memory/ledger.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/writer.h"
#include "userspace/memory/codec.h"

namespace dwell {

// A new file. At most kMaxStacks - 1 stacks, as a recording holds no more.
inline Result<void> write_many_stacks(const std::string& path, std::uint32_t stacks) {
  constexpr std::uint32_t kCalls = 24, kTicks = 8;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  Result<RecordingWriter> writer = RecordingWriter::create(path, {});
  if (!writer) return writer.error();
  writer->set_process(0, {4242, -1, "many_stacks", "many_stacks 60", 0, 0});
  std::int32_t program = static_cast<std::int32_t>(writer->add_module({"/usr/bin/many_stacks", "0123456789", 1 << 16, ModuleKind::kFile}));
  std::uint32_t allocator = writer->add_location({program, 0x100, false}), start = writer->add_location({program, 0x200, true});
  std::uint32_t calls[2][2];
  for (std::uint64_t from : {0, 1})
    for (std::uint64_t to : {0, 1}) calls[from][to] = writer->add_location({program, 0x1000 * (1 + from) + 0x10 * to, true});

  MemoryLedger ledger(0);
  Result<void> written;
  for (std::uint32_t i = 0; i < stacks; ++i) {
    std::vector<std::uint32_t> stack = {allocator};
    std::uint32_t bits = i * 2654435761u & 0xffffff;  // an odd factor: no two are the same
    for (std::uint32_t call = 0; call < kCalls; ++call) stack.push_back(calls[bits >> call & 1][call ? bits >> (call - 1) & 1 : 0]);
    stack.push_back(start);
    std::uint64_t now = 1 + i * (kTicks * kSecond / stacks), address = 0x10000 + i * 64;
    ledger.apply(Alloc{now, address, 16 + i % 3 * 8, writer->add_stack(stack, 0), 4242, 0});
    if (i % 2) ledger.apply(Free{now, address, 4242, 0, false});
    if ((i + 1) % (stacks / kTicks + 1) == 0 && written) written = write_memory_tick(*writer, ledger.take_tick(now + 1), ledger.series());
  }
  std::uint64_t end = (kTicks + 1) * kSecond;
  if (written) written = write_memory_tick(*writer, ledger.take_tick(end), ledger.series());
  if (written) written = write_live_blocks(*writer, {end, ledger.live_blocks()}, ledger.series());
  std::vector<LocationSymbol> symbols = {{{{"malloc", "", "malloc.c", 10}}}, {{{"main", "", "many_stacks.c", 12}}}};
  for (const char* name : {"parse_list", "parse_item"})
    for (std::uint32_t line : {20u, 24u}) symbols.push_back({{{name, "", "/src/parser/many_stacks.c", line}}});
  if (written) written = writer->write_symbols(0, symbols);
  if (written) written = writer->finish({end, "done"});
  return written;
}

}  // namespace dwell
