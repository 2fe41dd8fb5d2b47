// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/leaks.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "userspace/base/clock.h"
#include "userspace/memory/account/thread_stacks.h"
#include "userspace/memory/heap/careful_reader.h"
#include "userspace/memory/heap/heaps.h"
#include "userspace/memory/reach/candidates.h"
#include "userspace/memory/reach/roots.h"

namespace dwell::memory::reach {
namespace {

constexpr std::size_t kAddressesKept = 5;

class LeakFinder {
 public:
  LeakFinder(const LeakOptions& options, RegisterReader registers)
      : options_(options), registers_(std::move(registers)), reader_(options.pid, options.max_read_per_s) {}

  Result<LeakReport> find() {
    while (candidates_.looks() < Candidates::kMostLooks && !candidates_.settled()) {
      if (Result<void> looked = look(); !looked) return looked.error();
      if (!report_.unsettled.empty()) break;
    }
    if (report_.unsettled.empty() && !candidates_.settled())
      report_.unsettled = fmt::format("its pointers move so fast that {} looks found no end of it", candidates_.looks());
    report_.looks = candidates_.looks();
    report_.bytes_read = reader_.bytes_read();
    return std::move(report_);
  }

 private:
  Result<void> look() {
    Result<std::vector<MappingUse>> uses = read_smaps(options_.pid);
    if (!uses) return uses.error();
    std::vector<Mapping> mappings;
    for (const MappingUse& use : *uses) mappings.push_back(use.mapping);
    heap::Target target{reader_.memory(), reader_.pages(), mappings};
    heap::FoundHeaps found = heap::find_heaps(target);
    if (found.heaps.empty())
      return Error{fmt::format("find leaks of PID {}: {}", options_.pid, found.none), "", Exit::kUnsupported};
    // Where another allocator was put in glibc's place, glibc's own heap holds next to nothing: all of them are looked at.
    std::vector<heap::Range> ranges, unknown;
    for (const auto& one : found.heaps) ranges.insert(ranges.end(), one->ranges().begin(), one->ranges().end());
    std::sort(ranges.begin(), ranges.end(), [](const heap::Range& a, const heap::Range& b) { return a.start < b.start; });
    BlockIndex index(ranges);
    add_blocks(found, index, unknown);

    WordScan scan(target);
    Result<std::vector<std::uint32_t>> roots = find_roots(target, *uses, ranges, unknown, index, scan);
    if (!roots) return roots.error();
    Graph graph(index, scan);
    std::vector<bool> marked(index.size());
    graph.mark(std::move(*roots), marked);
    graph.mark(candidates_.known_roots(index), marked);
    if (scan.swapped_pages())
      report_.unsettled = fmt::format("{} pages are in swap, and what they hold cannot be told", scan.swapped_pages());
    if (graph.cut()) report_.unsettled = "there are more pointers than can be kept";
    describe(target, found, index, graph, std::move(marked));
    return {};
  }

  void add_blocks(heap::FoundHeaps& found, BlockIndex& index, std::vector<heap::Range>& unknown) {
    std::vector<heap::Block> live;
    for (auto& one : found.heaps) {
      one->walk([&](std::span<const heap::Block> blocks) {
        for (const heap::Block& block : blocks) {
          if (is_live(block.state)) found.heaps.size() > 1 ? live.push_back(block) : index.add(block);
          if (block.state == heap::BlockState::kUnknown) unknown.push_back({block.address, block.address + block.usable});
        }
      });
    }
    std::sort(live.begin(), live.end(), [](const heap::Block& a, const heap::Block& b) { return a.address < b.address; });
    for (const heap::Block& block : live) index.add(block);
    index.finish();
  }

  Result<std::vector<std::uint32_t>> find_roots(const heap::Target& target, const std::vector<MappingUse>& uses,
                                                const std::vector<heap::Range>& ranges,
                                                const std::vector<heap::Range>& unknown, const BlockIndex& index,
                                                WordScan& scan) {
    Result<std::vector<ThreadRegisters>> threads = registers_.read();
    if (!threads) return threads.error();
    std::vector<ThreadStack> stacks = find_thread_stacks(target);
    // What a thread on a CPU last told of its stack is old: all of it counts.
    for (ThreadStack& stack : stacks) {
      stack.stack_pointer = 0;
      for (const ThreadRegisters& thread : *threads)
        if (!thread.running && stack.range.contains(thread.stack_pointer)) stack.stack_pointer = thread.stack_pointer;
      for (const ThreadRegisters& thread : *threads)
        if (thread.running && (thread.tid == stack.tid || stack.range.contains(thread.stack_pointer))) stack.stack_pointer = 0;
    }
    std::vector<std::uint32_t> roots = roots_in(root_ranges(uses, ranges, stacks, unknown), index, scan);
    std::vector<std::uint32_t> in_code = roots_in_code(generated_code(uses), index, scan);
    roots.insert(roots.end(), in_code.begin(), in_code.end());
    for (const ThreadRegisters& thread : *threads) add_roots(thread.words, index, roots);
    add_roots(kernel_words(options_.pid), index, roots);
    return roots;
  }

  void describe(const heap::Target& target, const heap::FoundHeaps& found, BlockIndex& index, const Graph& graph,
                std::vector<bool> marked) {
    report_.allocator = found.heaps.back()->name();
    report_.edges = graph.edges();
    report_.live_blocks = index.size();
    report_.live_bytes = 0;
    for (std::uint32_t i = 0; i < index.size(); ++i) report_.live_bytes += index.block(i).usable;
    BlockIndex kept = index;
    candidates_.add_look(std::move(kept), std::move(marked));
    if (!candidates_.settled()) return;
    std::vector<std::uint32_t> unreachable;
    for (const LiveBlock& block : candidates_.unreachable()) unreachable.push_back(index.find(block.address));
    report_.lost_blocks = unreachable.size();
    for (const LiveBlock& block : candidates_.unreachable()) report_.lost_bytes += block.usable;
    group(target, lost_blocks(index, graph, unreachable));
  }

  void group(const heap::Target& target, const std::vector<LostBlock>& lost) {
    heap::BlockKinds kinds(target, heap::file_reader(options_.pid));
    std::map<std::tuple<std::string, bool, std::uint64_t>, LeakGroup> groups;
    for (const LostBlock& one : lost) {
      heap::BlockKind kind = kinds.of(one.block.address, one.block.usable);
      bool is_class = kind.content == heap::Content::kObject;
      std::string what = is_class ? kinds.mangled(kind.type) : std::string(name_of(kind.content));
      LeakGroup& group = groups[{what, kind.array, one.block.usable}];
      group.what = what, group.is_class = is_class, group.array = kind.array, group.usable = one.block.usable;
      ++group.blocks, group.bytes += one.block.usable;
      group.held_blocks += one.held_blocks, group.held_bytes += one.held_bytes;
      if (group.addresses.size() < kAddressesKept) group.addresses.push_back(one.block.address);
    }
    for (auto& [key, group] : groups) report_.groups.push_back(std::move(group));
    std::sort(report_.groups.begin(), report_.groups.end(), [](const LeakGroup& a, const LeakGroup& b) {
      return a.bytes + a.held_bytes > b.bytes + b.held_bytes;
    });
  }

  LeakOptions options_;
  RegisterReader registers_;
  heap::CarefulReader reader_;
  Candidates candidates_;
  LeakReport report_;
};

}  // namespace

Result<LeakReport> find_leaks(const LeakOptions& options) {
  std::uint64_t started_ns = monotonic_ns();
  Result<RegisterReader> registers = RegisterReader::open(options.pid);
  if (!registers) return registers.error();
  Result<LeakReport> report = LeakFinder(options, std::move(*registers)).find();
  if (report) report->duration_ns = monotonic_ns() - started_ns;
  return report;
}

}  // namespace dwell::memory::reach
