// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/holders.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "userspace/base/clock.h"
#include "userspace/memory/heap/type_names.h"
#include "userspace/memory/reach/held_sums.h"

namespace dwell::memory::reach {
namespace {

constexpr std::uint64_t kMostElements = 1 << 24;  // of an array, as in BlockKinds
constexpr std::size_t kMostHolders = 1 << 12;
constexpr std::size_t kMostShared = 20, kNamedHolders = 4;

// Fits in sixteen bits with 0 for none.
TypeNumber type_of(heap::TypeNames& names, std::uint64_t first, std::uint64_t second) {
  std::uint32_t type = names.of(first);
  if (type == heap::TypeNames::kNone && first > 0 && first < kMostElements) type = names.of(second);
  return type < 0xffff ? static_cast<TypeNumber>(type + 1) : 0;
}

class HolderFinder {
 public:
  HolderFinder(const HolderOptions& options, const LiveHeap& live, HeldBlocks* blocks)
      : options_(options), live_(live), blocks_(blocks), names_(live.target(), heap::file_reader(options.pid)) {}

  HolderReport find() {
    WordScan scan(live_.target());
    std::vector<TypeNumber> types(live_.index().size());
    Graph graph(live_.index(), scan, [&](std::uint32_t block, std::uint64_t first, std::uint64_t second) {
      types[block] = type_of(names_, first, second);
    });
    NamedRoots roots(live_, scan);
    {
      std::vector<bool> marked(graph.blocks());
      roots.find(graph, marked);
    }
    report_.allocator = live_.allocator();
    report_.live_blocks = live_.index().size();
    report_.live_bytes = live_.live_bytes();
    report_.edges = graph.edges();
    report_.swapped_pages = scan.swapped_pages();
    if (graph.cut()) report_.failed = "there are more pointers than can be kept";
    if (report_.failed.empty()) describe(graph, roots, types);
    return std::move(report_);
  }

 private:
  void describe(const Graph& graph, NamedRoots& roots, const std::vector<TypeNumber>& types) {
    auto count = static_cast<std::uint32_t>(roots.roots().size());
    DominatorTree tree(graph, roots.edges(), count);
    if (tree.gave_up()) {
      report_.failed = "its pointers are too entangled";
      return;
    }
    HeldSums sums(live_.index(), graph, tree, roots.edges(), count, types);
    std::vector<std::uint32_t> largest = largest_of(sums, count);
    std::vector<HeldSums::Groups> groups = sums.group(largest, blocks_ ? &blocks_->labels : nullptr);
    std::vector<std::vector<HeldSums::Step>> paths = sums.paths(largest);
    for (std::size_t i = 0; i < largest.size(); ++i) {
      Holder holder;
      holder.root = roots.roots()[largest[i]];
      holder.name = roots.name(holder.root);
      fill(holder, groups[i]);
      for (const HeldSums::Step& step : paths[i]) holder.path.push_back(through(step, types));
      report_.holders.push_back(std::move(holder));
    }
    fill(report_.several, groups[largest.size()]);
    fill(report_.others, groups[largest.size() + 1]);
    fill(report_.unreached, groups[largest.size() + 2]);
    if (blocks_) return name_blocks();  // of a comparison, which asks for no more
    for (const HeldSums::Shared& one : sums.shared(kMostShared)) {
      SharedBlock shared{through(one.step, types), {}, one.roots.size()};
      for (std::size_t i = 0; i < std::min(one.roots.size(), kNamedHolders); ++i) shared.by.push_back(roots.name(roots.roots()[one.roots[i]]));
      report_.shared.push_back(std::move(shared));
    }
  }

  void name_blocks() {
    for (const Holder& holder : report_.holders) blocks_->owners.push_back(holder.name);
    for (const char* rest : {"several of these at once", "other places", "nothing that this look saw"}) blocks_->owners.push_back(rest);
    blocks_->types.push_back("");
    for (std::uint32_t type = 0; type < names_.size(); ++type) blocks_->types.push_back(names_.mangled(type));
  }

  std::vector<std::uint32_t> largest_of(const HeldSums& sums, std::uint32_t count) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t root = 0; root < count; ++root)
      if (sums.retained(root)) order.push_back(root);
    report_.all_holders = order.size();
    std::size_t most = std::min({order.size(), options_.most, kMostHolders});
    auto more = [&](std::uint32_t a, std::uint32_t b) { return sums.retained(a) > sums.retained(b); };
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(), more);
    order.resize(most);
    return order;
  }

  std::string name_of_type(TypeNumber type) const { return type ? names_.mangled(type - 1u) : ""; }

  HeldThrough through(const HeldSums::Step& step, const std::vector<TypeNumber>& types) const {
    LiveBlock block = live_.index().block(step.block);
    return {block.address, block.usable, step.retained, name_of_type(types[step.block])};
  }

  void fill(Holder& holder, const HeldSums::Groups& groups) const {
    for (const auto& [kind, sum] : groups) {
      const auto& [type, inherited, usable] = kind;
      holder.groups.push_back({name_of_type(type), inherited, usable, sum.blocks, sum.bytes});
      holder.blocks += sum.blocks, holder.bytes += sum.bytes;
    }
    std::ranges::sort(holder.groups, std::ranges::greater(), &HeldGroup::bytes);
  }

  HolderOptions options_;
  const LiveHeap& live_;
  HeldBlocks* blocks_;
  heap::TypeNames names_;
  HolderReport report_;
};

}  // namespace

Result<HolderReport> find_holders(const HolderOptions& options, HeldBlocks* blocks) {
  std::uint64_t started_ns = monotonic_ns();
  Result<RegisterReader> registers = RegisterReader::open(options.pid);
  if (!registers) return registers.error();
  heap::CarefulReader reader(options.pid, options.max_read_per_s);
  auto live = LiveHeap::read(fmt::format("find who holds the memory of PID {}", options.pid), reader, *registers);
  if (!live) return live.error();
  HolderReport report = HolderFinder(options, **live, blocks).find();
  if (blocks) blocks->index.emplace((*live)->take_index());
  report.duration_ns = monotonic_ns() - started_ns;
  report.bytes_read = reader.bytes_read();
  return report;
}

}  // namespace dwell::memory::reach
