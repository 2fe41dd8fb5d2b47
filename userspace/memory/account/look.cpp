// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/look.h"

#include <fmt/core.h>

#include "userspace/base/clock.h"
#include "userspace/memory/account/module_data.h"
#include "userspace/memory/account/v8_heap.h"
#include "userspace/memory/heap/careful_reader.h"
#include "userspace/memory/heap/heaps.h"

namespace dwell::memory {
namespace {

HeapLook look_at_heap(heap::Heap& one, const heap::Target& target, const LookOptions& options) {
  HeapLook look;
  look.name = one.name();
  look.arenas = one.arenas();
  heap::InventoryMaker maker(target.pages, one);
  std::optional<heap::CensusMaker> census;
  if (options.types) census.emplace(target, heap::file_reader(options.pid));
  look.quality = one.walk([&](std::span<const heap::Block> blocks) {
    maker.add(blocks);
    if (census) census->add(blocks);
  });
  look.inventory = maker.finish();
  if (census) look.census = census->finish();
  look.checksums = one.checksums();
  return look;
}

}  // namespace

Result<MemoryLook> look_at_memory(const LookOptions& options) {
  Result<ProcessFacts> process = read_process(options.pid);
  if (!process) return process.error();
  MemoryLook look;
  look.process = *process;
  std::uint64_t started_ns = monotonic_ns(), cpu_ns = own_cpu_ns();

  Result<std::vector<Mapping>> mappings = read_maps(options.pid);
  if (!mappings) return mappings.error();
  if (mappings->empty()) return Error{fmt::format("look at PID {}: it has no memory", options.pid), "", Exit::kNoTarget};
  if (Result<void> may = ProcessMemory(options.pid).check((*mappings)[0].start); !may) return may.error();
  heap::CarefulReader reader(options.pid, options.max_read_per_s);
  heap::Target target{reader.memory(), reader.pages(), *mappings};
  Result<heap::FoundHeaps> found = options.walk ? heap::find_heaps_of(options.pid, target, *mappings) : heap::FoundHeaps();
  if (!found) return found.error();
  look.no_heap = found->none;
  look.unread_allocator = found->unread;
  for (const auto& one : found->heaps) look.heaps.push_back(look_at_heap(*one, target, options));
  look.stacks = find_thread_stacks(target);

  Result<std::vector<MappingUse>> uses = read_smaps(options.pid);
  if (!uses) return uses.error();
  std::vector<AccountedHeap> accounted;
  for (std::size_t i = 0; i < found->heaps.size(); ++i)
    accounted.push_back({found->heaps[i]->ranges(), &look.heaps[i].inventory});
  look.account = make_account(*uses, accounted, look.stacks, reader.pages(), {find_v8_chunks(target), find_zeroed_data(target)});

  look.duration_ns = monotonic_ns() - started_ns;
  look.own_cpu_ns = own_cpu_ns() - cpu_ns;
  look.paused_ns = reader.paused_ns();
  look.bytes_read = reader.bytes_read();
  look.swapped_pages = reader.swapped_pages();
  look.pages_known = reader.pages().known();
  return look;
}

}  // namespace dwell::memory
