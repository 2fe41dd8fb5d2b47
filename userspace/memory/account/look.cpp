// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/account/look.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

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
  look.records_in_break = one.keeps_records_in_break();
  return look;
}

// Of heaps that grew while they were walked, the ranges before and after.
std::vector<heap::Range> both(std::vector<heap::Range> ranges, const std::vector<heap::Range>& more) {
  ranges.insert(ranges.end(), more.begin(), more.end());
  std::ranges::sort(ranges, {}, &heap::Range::start);
  std::vector<heap::Range> merged;
  for (const heap::Range& range : ranges) {
    if (!merged.empty() && range.start <= merged.back().end)
      merged.back().end = std::max(merged.back().end, range.end);
    else
      merged.push_back(range);
  }
  return merged;
}

void add(const std::vector<MemoryRange>& from, std::vector<heap::Range>& to) {
  for (const MemoryRange& range : from) to.push_back({range.begin, range.end});
}

bool balances(const Account& account) {
  constexpr std::int64_t kMostBelowZero = 256 << 10, kFewBytes = 1 << 20;
  std::int64_t unexplained = account.of(Part::kUnexplained).resident, most = std::max(kFewBytes, static_cast<std::int64_t>(account.resident / 100));
  return unexplained >= -kMostBelowZero && unexplained <= most;
}

class Look {
 public:
  explicit Look(const LookOptions& options) : options_(options), reader_(options.pid, options.max_read_per_s), target_{reader_.memory(), reader_.pages(), mappings_} {}

  Result<MemoryLook> take() {
    Result<ProcessFacts> process = read_process(options_.pid);
    if (!process) return process.error();
    look_.process = *process;
    std::uint64_t started_ns = monotonic_ns(), cpu_ns = own_cpu_ns();
    Result<std::vector<Mapping>> mappings = read_maps(options_.pid);
    if (!mappings) return mappings.error();
    mappings_ = std::move(*mappings);
    if (mappings_.empty()) return Error{fmt::format("look at PID {}: it has no memory", options_.pid), "", Exit::kNoTarget};
    if (Result<void> may = ProcessMemory(options_.pid).check(mappings_[0].start); !may) return may.error();
    if (Result<void> looked = walk_and_balance(); !looked) return looked.error();
    look_.duration_ns = monotonic_ns() - started_ns;
    look_.own_cpu_ns = own_cpu_ns() - cpu_ns;
    look_.paused_ns = reader_.paused_ns();
    look_.bytes_read = reader_.bytes_read();
    look_.swapped_pages = reader_.swapped_pages();
    look_.pages_known = reader_.pages().known();
    return std::move(look_);
  }

 private:
  Result<void> walk_and_balance() {
    Result<heap::FoundHeaps> found = options_.walk ? heap::find_heaps_of(options_.pid, target_, mappings_) : heap::FoundHeaps();
    if (!found) return found.error();
    look_.no_heap = found->none;
    look_.unread_allocator = found->unread;
    std::vector<std::vector<heap::Range>> ranges;
    for (const auto& one : found->heaps) {
      look_.heaps.push_back(look_at_heap(*one, target_, options_));
      ranges.push_back(one->ranges());
    }
    if (Result<void> balanced = balance(ranges); !balanced) return balanced;
    if (balances(look_.account) || found->heaps.empty()) return {};
    // It went on, and its heaps lie elsewhere by now, too.
    Result<heap::FoundHeaps> again = heap::find_heaps_of(options_.pid, target_, mappings_);
    if (!again || again->heaps.size() != ranges.size()) return {};
    for (std::size_t i = 0; i < ranges.size(); ++i) ranges[i] = both(std::move(ranges[i]), again->heaps[i]->ranges());
    return balance(ranges);
  }

  Result<void> balance(const std::vector<std::vector<heap::Range>>& ranges) {
    look_.stacks = find_thread_stacks(target_);
    OwnedRanges owned{options_.walk ? find_v8_chunks(target_) : std::vector<heap::Range>(), find_zeroed_data(target_)};
    for (const RuntimeMemory& runtime : options_.runtimes) {
      add(runtime.objects, owned.go_heap);
      add(runtime.stacks, owned.go_stacks);
      add(runtime.idle, owned.go_idle);
    }
    Result<std::vector<MappingUse>> uses = read_mapping_uses(options_.pid);
    if (!uses) return uses.error();
    std::vector<AccountedHeap> accounted;
    for (std::size_t i = 0; i < ranges.size(); ++i)
      accounted.push_back(
          {ranges[i], &look_.heaps[i].inventory, look_.heaps[i].records_in_break});
    look_.account = make_account(*uses, accounted, look_.stacks, reader_.pages(), owned);
    look_.owned = {std::move(*uses), {}, {}, std::move(owned)};
    for (const std::vector<heap::Range>& some : ranges) look_.owned.heaps = both(std::move(look_.owned.heaps), some);
    for (const ThreadStack& stack : look_.stacks) look_.owned.stacks.push_back(stack.range);
    return {};
  }

  const LookOptions& options_;
  std::vector<Mapping> mappings_;
  heap::CarefulReader reader_;
  heap::Target target_;
  MemoryLook look_;
};

}  // namespace

// A process that changes fast may not hold still for one: the one that balances best counts.
Result<MemoryLook> look_at_memory(const LookOptions& options) {
  constexpr int kTries = 3;
  constexpr std::uint64_t kMostReadAgain = std::uint64_t{512} << 20;
  Result<MemoryLook> best = Look(options).take();
  for (int tries = 1; tries < kTries && best && !balances(best->account) && best->bytes_read < kMostReadAgain; ++tries) {
    Result<MemoryLook> next = Look(options).take();
    if (!next) return best;
    auto off = [](const MemoryLook& look) { return std::abs(look.account.of(Part::kUnexplained).resident); };
    if (off(*next) < off(*best)) best = std::move(next);
  }
  return best;
}

}  // namespace dwell::memory
