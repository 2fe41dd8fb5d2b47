// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/holders.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "userspace/base/clock.h"
#include "userspace/memory/heap/type_names.h"
#include "userspace/memory/reach/first_reached.h"
#include "userspace/memory/reach/held_sums.h"
#include "userspace/memory/reach/settling_looks.h"

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

// What moved since it was peeked at; a pointer that did not, and leads to no block, is one to a block that is
// gone.
FoundLate moved_since(const FoundLate& before, std::vector<LateWord> now) {
  FoundLate late = before;
  std::ranges::sort(now);
  std::erase_if(late.peeked,
                [&](const PeekedWord& one) { return std::ranges::binary_search(now, one.late); });
  return late;
}

class HolderFinder {
 public:
  HolderFinder(const HolderOptions& options, HeldBlocks* blocks) : options_(options), blocks_(blocks) {}

  // Of each look: their types are known when the graph is.
  Graph::FirstWords begin_look(const LiveHeap& live) {
    names_.emplace(live.target(), heap::file_reader(options_.pid));
    types_.assign(live.index().size(), 0);
    began_ns_ = monotonic_ns();
    return [this](std::uint32_t block, std::uint64_t first, std::uint64_t second) {
      types_[block] = type_of(*names_, first, second);
    };
  }

  void find(const SettlingLooks::LastLook& look) {
    live_ = &look.live;
    NamedRoots roots(look.live, look.scan);
    {
      std::vector<bool> marked(look.graph.blocks());
      roots.find(look.graph, marked);
      hold_late_words(look.graph, look.live.index(), moved_since(look.late, look.now.words()), roots, marked);
    }
    report_.allocator = look.live.allocator();
    report_.live_blocks = look.live.index().size();
    report_.live_bytes = look.live.live_bytes();
    report_.edges = look.graph.edges();
    report_.swapped_pages = look.scan.swapped_pages();
    if (look.graph.cut()) report_.failed = "there are more pointers than can be kept";
    if (report_.failed.empty()) describe(look, roots);
    if (blocks_) {
      blocks_->time_ns = began_ns_;
      blocks_->index.emplace(look.live.take_index());
    }
  }
  HolderReport take() && { return std::move(report_); }

 private:
  void describe(const SettlingLooks::LastLook& look, NamedRoots& roots) {
    auto count = static_cast<std::uint32_t>(roots.roots().size());
    DominatorTree tree(look.graph, roots.edges(), count);
    if (tree.gave_up()) {
      report_.failed = "its pointers are too entangled";
      return;
    }
    HeldSums sums(live_->index(), look.graph, tree, roots.edges(), count, types_);
    std::vector<std::uint32_t> largest = largest_of(sums, count);
    static const std::vector<LiveBlock> kNone;
    std::vector<HeldSums::Groups> groups =
        sums.group(largest, look.settled ? look.unreachable : kNone, blocks_ ? &blocks_->labels : nullptr);
    std::vector<std::vector<HeldSums::Step>> paths = sums.paths(largest);
    for (std::size_t i = 0; i < largest.size(); ++i) {
      Holder holder;
      holder.root = roots.roots()[largest[i]];
      holder.name = roots.name(holder.root);
      fill(holder, groups[i]);
      for (const HeldSums::Step& step : paths[i]) holder.path.push_back(through(step));
      report_.holders.push_back(std::move(holder));
    }
    std::size_t rest = largest.size();
    for (Holder* holder : {&report_.several, &report_.others, &report_.leaked, &report_.moved})
      fill(*holder, groups[rest++]);
    if (blocks_) return name_blocks();  // of a comparison, which asks for no more
    for (const HeldSums::Shared& one : sums.shared(kMostShared)) {
      SharedBlock shared{through(one.step), {}, one.roots.size()};
      for (std::size_t i = 0; i < std::min(one.roots.size(), kNamedHolders); ++i)
        shared.by.push_back(roots.name(roots.roots()[one.roots[i]]));
      report_.shared.push_back(std::move(shared));
    }
  }

  void name_blocks() {
    for (const Holder& holder : report_.holders) blocks_->owners.push_back(holder.name);
    for (std::string_view rest : {kBySeveral, kByOthers, kByNothing, kByMoved})
      blocks_->owners.emplace_back(rest);
    blocks_->types.push_back("");
    for (std::uint32_t type = 0; type < names_->size(); ++type)
      blocks_->types.push_back(names_->mangled(type));
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

  std::string name_of_type(TypeNumber type) const { return type ? names_->mangled(type - 1u) : ""; }

  HeldThrough through(const HeldSums::Step& step) const {
    LiveBlock block = live_->index().block(step.block);
    return {block.address, block.usable, step.retained, name_of_type(types_[step.block])};
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
  const LiveHeap* live_ = nullptr;
  HeldBlocks* blocks_;
  std::optional<heap::TypeNames> names_;
  std::vector<TypeNumber> types_;  // by block
  std::uint64_t began_ns_ = 0;     // of the look
  HolderReport report_;
};

}  // namespace

Result<HolderReport> find_holders(const HolderOptions& options, HeldBlocks* blocks) {
  std::uint64_t started_ns = monotonic_ns();
  Result<SettlingLooks> looks =
      SettlingLooks::begin({options.pid, options.max_read_per_s, 0},
                           fmt::format("find who holds the memory of PID {}", options.pid));
  if (!looks) return looks.error();
  HolderFinder finder(options, blocks);
  Result<void> looked =
      looks->run_to_the_end([&](const LiveHeap& live) { return finder.begin_look(live); },
                            [&](const SettlingLooks::LastLook& look) { finder.find(look); });
  if (!looked) return looked.error();
  HolderReport report = std::move(finder).take();
  report.unsettled = looks->unsettled();
  report.looks = looks->looks();
  report.duration_ns = monotonic_ns() - started_ns;
  report.bytes_read = looks->bytes_read();
  return report;
}

}  // namespace dwell::memory::reach
