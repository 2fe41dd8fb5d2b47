// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/held_sums.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

constexpr std::size_t kLongestPath = 6;
constexpr std::size_t kMostSharedBlocks = 4096;  // that are looked at for who leads there
constexpr std::size_t kMostKinds = 1 << 16;      // of one holder; further ones count by their class only
constexpr std::uint32_t kNoBlock = DominatorTree::kNoBlock;

bool is_most_of(std::uint64_t whole, std::uint64_t part) { return part * 10 >= whole * 9; }

}  // namespace

HeldSums::HeldSums(const BlockIndex& index, const Graph& graph, const DominatorTree& tree, std::span<const RootEdge> edges,
                   std::uint32_t roots, const std::vector<TypeNumber>& types)
    : index_(index), graph_(graph), tree_(tree), edges_(edges), roots_(roots), types_(types) {
  retain();
}

template <typename Visit>
void HeldSums::for_each_vertex(Visit visit) const {
  for (std::uint32_t block = 0; block < index_.size(); ++block)
    if (tree_.is_vertex(block))
      if (std::uint32_t vertex = tree_.of_block(block)) visit(block, vertex);
}

// A dominator has a smaller number than what it dominates.
void HeldSums::retain() {
  retained_.resize(tree_.vertices());
  for_each_vertex(
      [&](std::uint32_t block, std::uint32_t vertex) { retained_[vertex] += index_.usable(block); });
  for_each_pointer_of_vertices(
      [&](std::uint32_t from, std::uint32_t target) { retained_[from] += chain_bytes(target).first; });
  for (std::uint32_t i = tree_.vertices(); i-- > 1;) retained_[tree_.dominator(i)] += retained_[i];
}

template <typename Visit>
void HeldSums::for_each_pointer_of_vertices(Visit visit) const {
  for_each_vertex([&](std::uint32_t block, std::uint32_t vertex) {
    if (graph_.points(block))
      graph_.for_each_target(block, [&](std::uint32_t target) { visit(vertex, target); });
  });
  for (const RootEdge& edge : edges_) visit(tree_.of_root(edge.root), edge.block);
}

std::pair<std::uint64_t, std::uint32_t> HeldSums::chain_bytes(std::uint32_t target) const {
  std::uint64_t bytes = 0;
  std::uint32_t end = kNoBlock;
  auto visit = [&](std::uint32_t block, int) {
    bytes += index_.usable(block);
    return 0;
  };
  tree_.follow_chain(target, 0, visit, [&](std::uint32_t block, int) { end = block; });
  return {bytes, end};
}

void HeldSums::inherit(const std::vector<std::uint32_t>& of_roots) {
  auto several = static_cast<std::uint16_t>(of_roots.size()), others = static_cast<std::uint16_t>(of_roots.size() + 1);
  owners_.assign(tree_.vertices(), several);
  inherited_.assign(tree_.vertices(), 0);
  std::vector<bool> is_root(tree_.vertices());
  for (std::uint32_t root = 0; root < roots_; ++root) {
    is_root[tree_.of_root(root)] = true;
    owners_[tree_.of_root(root)] = others;
  }
  for (std::size_t i = 0; i < of_roots.size(); ++i)
    owners_[tree_.of_root(of_roots[i])] = static_cast<std::uint16_t>(i);
  if (!types_.empty()) {
    for_each_vertex([&](std::uint32_t block, std::uint32_t vertex) { inherited_[vertex] = types_[block]; });
    inherit_along_chains();
  }
  for (std::uint32_t i = 1; i < tree_.vertices(); ++i) {
    if (is_root[i] || tree_.dominator(i) == 0) continue;
    owners_[i] = owners_[tree_.dominator(i)];
    if (!inherited_[i]) inherited_[i] = inherited_[tree_.dominator(i)];
  }
}

// A vertex at the end of a chain hangs on the last block of that, not only on where the chain begins.
void HeldSums::inherit_along_chains() {
  auto visit = [&](std::uint32_t block, TypeNumber type) { return types_[block] ? types_[block] : type; };
  auto reach = [&](std::uint32_t block, TypeNumber type) {
    if (TypeNumber& known = inherited_[tree_.of_block(block)]; !known) known = type;
  };
  for_each_pointer_of_vertices(
      [&](std::uint32_t, std::uint32_t target) { tree_.follow_chain(target, TypeNumber{0}, visit, reach); });
}

HeldSums::Label HeldSums::label(std::uint32_t block, std::uint32_t vertex, TypeNumber inherited) const {
  TypeNumber own = types_.empty() ? 0 : types_[block];
  TypeNumber type = own ? own : inherited;
  return {
      .owner = static_cast<std::uint16_t>(owners_[vertex] & 0x7fff), .inherited = type != own, .type = type};
}

void HeldSums::add(Groups& to, std::uint32_t block, TypeNumber type) const {
  TypeNumber own = types_.empty() ? 0 : types_[block];
  std::uint64_t usable = index_.usable(block);
  Kind kind{type, type && !own, type ? 0 : usable};
  if (to.size() >= kMostKinds && !to.contains(kind)) std::get<2>(kind) = 0;
  to[kind].add(usable);
}

std::vector<HeldSums::Groups> HeldSums::group(const std::vector<std::uint32_t>& of_roots,
                                              const std::vector<LiveBlock>& leaked,
                                              std::vector<Label>* labels) {
  inherit(of_roots);
  std::vector<Groups> groups(of_roots.size() + 4);
  std::vector<bool> met(index_.size());
  if (labels) labels->resize(index_.size());
  auto meet = [&](std::uint32_t block, const Label& found) {
    met[block] = true;
    add(groups[found.owner], block, found.type);
    if (labels) (*labels)[block] = found;
  };
  for_each_vertex([&](std::uint32_t block, std::uint32_t vertex) {
    meet(block, label(block, vertex, inherited_[vertex]));
  });
  for_each_pointer_of_vertices([&](std::uint32_t from, std::uint32_t target) {
    auto visit = [&](std::uint32_t block, TypeNumber inherited) {
      Label found = label(block, from, inherited);
      meet(block, found);
      return found.type;
    };
    tree_.follow_chain(target, inherited_[from], visit, [](std::uint32_t, TypeNumber) {});
  });
  for (std::uint32_t block = 0; block < index_.size(); ++block) {
    if (met[block]) continue;
    std::size_t owner = of_roots.size() + (std::ranges::binary_search(leaked, index_.block(block)) ? 2 : 3);
    meet(block, {.owner = static_cast<std::uint16_t>(owner & 0x7fff),
                 .inherited = 0,
                 .type = types_.empty() ? TypeNumber{0} : types_[block]});
  }
  return groups;
}

// By vertex: the last one on the way to what stands before all roots: a root, or a block that several lead to.
std::vector<std::uint32_t> HeldSums::tops() const {
  std::vector<std::uint32_t> tops(tree_.vertices());
  for (std::uint32_t i = 1; i < tree_.vertices(); ++i) tops[i] = tree_.dominator(i) ? tops[tree_.dominator(i)] : i;
  return tops;
}

std::vector<HeldSums::Shared> HeldSums::shared(std::size_t most) const {
  std::vector<std::uint32_t> tops = this->tops();
  std::vector<Step> steps;
  for_each_vertex([&](std::uint32_t block, std::uint32_t vertex) {
    if (tree_.dominator(vertex) == 0) steps.push_back({block, retained_[vertex]});
  });
  auto kept = steps.begin() + static_cast<std::ptrdiff_t>(std::min(steps.size(), kMostSharedBlocks));
  std::ranges::partial_sort(steps, kept, [](const Step& a, const Step& b) { return a.retained > b.retained; });
  std::vector<Shared> all;
  for (auto step = steps.begin(); step != kept; ++step) all.push_back({*step, {}});
  absl::flat_hash_map<std::uint32_t, std::uint32_t> root_of;
  for (std::uint32_t root = 0; root < roots_; ++root) root_of[tree_.of_root(root)] = root;
  absl::flat_hash_map<std::uint32_t, std::size_t> places;  // vertex to its place in the list
  for (std::size_t i = 0; i < all.size(); ++i) places[tree_.of_block(all[i].step.block)] = i;
  // Who leads to each of them directly; where that is another one of them, who leads there.
  std::vector<std::vector<std::uint32_t>> others(all.size());
  auto meet = [&](std::uint32_t from, std::uint32_t block) {
    auto place = tree_.is_vertex(block) ? places.find(tree_.of_block(block)) : places.end();
    if (place == places.end() || tops[from] == tree_.of_block(block)) return;
    auto root = root_of.find(tops[from]);
    root != root_of.end() ? all[place->second].roots.push_back(root->second) : others[place->second].push_back(tops[from]);
  };
  for_each_pointer_of_vertices(meet);
  auto settle = [](std::vector<std::uint32_t>& list) {
    std::ranges::sort(list);
    list.erase(std::unique(list.begin(), list.end()), list.end());
  };
  for (Shared& one : all) settle(one.roots);
  for (auto& list : others) settle(list);
  std::size_t count = std::min(most, all.size());
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<bool> met(all.size());
    std::vector<std::size_t> open = {i};
    for (met[i] = true; !open.empty();) {
      std::size_t at = open.back();
      open.pop_back();
      for (std::uint32_t vertex : others[at])
        if (auto next = places.find(vertex); next != places.end() && !met[next->second])
          met[next->second] = true, open.push_back(next->second);
      if (at != i) all[i].roots.insert(all[i].roots.end(), all[at].roots.begin(), all[at].roots.end());
    }
    settle(all[i].roots);
  }
  all.resize(count);
  return all;
}

// How far nine tenths hang on one block of the chain; where it ends, if they do until there.
std::uint32_t HeldSums::step_along_chain(std::vector<Step>& path, std::uint32_t target,
                                         std::uint64_t whole) const {
  auto [left, end] = chain_bytes(target);
  std::uint64_t behind = end == kNoBlock ? 0 : retained_[tree_.of_block(end)];
  left += behind;
  bool goes_on = true;
  auto visit = [&](std::uint32_t block, int) {
    if (goes_on && graph_.points(block)) {
      goes_on = is_most_of(whole, left) && path.size() < kLongestPath;
      if (goes_on) path.push_back({block, left});
      whole = left;
    }
    left -= index_.usable(block);
    return 0;
  };
  tree_.follow_chain(target, 0, visit, [](std::uint32_t, int) {});
  if (end == kNoBlock || !goes_on || !is_most_of(whole, behind) || path.size() == kLongestPath) return 0;
  path.push_back({end, behind});
  return tree_.of_block(end);
}

std::vector<std::vector<HeldSums::Step>> HeldSums::paths(const std::vector<std::uint32_t>& of_roots) const {
  std::vector<std::vector<Step>> paths(of_roots.size());
  absl::flat_hash_map<std::uint32_t, std::size_t> ends;  // vertex to path
  for (std::size_t i = 0; i < of_roots.size(); ++i) ends[tree_.of_root(of_roots[i])] = i;
  while (!ends.empty()) {
    absl::flat_hash_map<std::uint32_t, std::size_t> next, joined;
    for_each_pointer_of_vertices([&](std::uint32_t from, std::uint32_t target) {
      auto end = ends.find(from);
      if (end == ends.end() || tree_.is_vertex(target)) return;
      if (std::uint32_t reached = step_along_chain(paths[end->second], target, retained_[from]))
        next[reached] = end->second;
    });
    for (std::uint32_t i = 1; i < tree_.vertices(); ++i) {
      auto end = ends.find(tree_.dominator(i));
      if (end != ends.end() && is_most_of(retained_[end->first], retained_[i])) joined[i] = end->second;
    }
    for_each_vertex([&](std::uint32_t block, std::uint32_t vertex) {
      auto step = joined.find(vertex);
      if (step == joined.end() || next.contains(vertex) || paths[step->second].size() == kLongestPath) return;
      paths[step->second].push_back({block, retained_[vertex]});
      next[vertex] = step->second;
    });
    ends = std::move(next);
  }
  return paths;
}

}  // namespace dwell::memory::reach
