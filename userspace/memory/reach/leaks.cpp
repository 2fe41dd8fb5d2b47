// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/leaks.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "userspace/base/clock.h"
#include "userspace/memory/reach/candidates.h"
#include "userspace/memory/reach/live_heap.h"
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
    auto live = LiveHeap::read(fmt::format("find leaks of PID {}", options_.pid), reader_, registers_);
    if (!live) return live.error();
    const BlockIndex& index = (*live)->index();
    WordScan scan((*live)->target());
    std::vector<std::uint32_t> roots = find_roots(**live, scan);
    Graph graph(index, scan);
    std::vector<bool> marked(index.size());
    graph.mark(roots, marked);
    candidates_.mark_known(index, graph, marked);
    if (scan.swapped_pages())
      report_.unsettled = fmt::format("{} pages are in swap, and what they hold cannot be told", scan.swapped_pages());
    if (graph.cut()) report_.unsettled = "there are more pointers than can be kept";
    candidates_.add_look(index, marked);
    if (candidates_.settled()) describe(**live, graph);
    candidates_.keep((*live)->take_index(), marked);
    return {};
  }

  std::vector<std::uint32_t> find_roots(const LiveHeap& live, WordScan& scan) {
    const BlockIndex& index = live.index();
    std::vector<std::uint32_t> roots = roots_in(live.root_ranges(), index, scan);
    std::vector<std::uint32_t> in_code = roots_in_code(generated_code(live.uses()), index, scan);
    roots.insert(roots.end(), in_code.begin(), in_code.end());
    for (const ThreadRegisters& thread : live.threads()) add_roots(thread.words, index, roots);
    add_roots(kernel_words(options_.pid), index, roots);
    return roots;
  }

  void describe(const LiveHeap& live, const Graph& graph) {
    report_.allocator = live.allocator();
    report_.edges = graph.edges();
    report_.live_blocks = live.index().size();
    report_.live_bytes = live.live_bytes();
    std::vector<std::uint32_t> unreachable;
    for (const LiveBlock& block : candidates_.unreachable()) unreachable.push_back(live.index().find(block.address));
    report_.lost_blocks = unreachable.size();
    for (const LiveBlock& block : candidates_.unreachable()) report_.lost_bytes += block.usable;
    group(live.target(), lost_blocks(live.index(), graph, unreachable));
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
