// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/dominators.h"

#include <algorithm>

namespace dwell::memory::reach {
namespace {

constexpr std::uint32_t kNoEdge = Graph::kNoEdge;
// Of one vertex, on average: what a graph made with malice may cost.
constexpr std::uint64_t kMostSteps = 200;
constexpr std::uint64_t kStepsAnyway = 1 << 24;

}  // namespace

DominatorTree::DominatorTree(const Graph& graph, std::span<const RootEdge> edges, std::uint32_t roots)
    : graph_(graph), root_edges_(edges), roots_(roots) {
  gave_up_ = graph.edges() + edges.size() >= kNoEdge - 1;
  if (gave_up_) return;
  find_joined();
  find_vertices();
  number_all();
  find_predecessors();
  find_semidominators();
  find_dominators();
}

void DominatorTree::find_joined() {
  std::vector<std::uint64_t> once(graph_.blocks() / 64 + 1);
  joined_.resize(once.size());
  auto point_to = [&](std::uint32_t block) {
    std::uint64_t bit = std::uint64_t{1} << block % 64;
    joined_[block / 64] |= once[block / 64] & bit;
    once[block / 64] |= bit;
  };
  for (std::uint32_t block = 0; block < graph_.blocks(); ++block)
    if (graph_.points(block)) graph_.for_each_target(block, point_to);
  for (const RootEdge& edge : root_edges_) point_to(edge.block);
}

// Of a block that is pointed to once. What joins others is only ever pointed to by vertices: so the dominator
// of a vertex that is joined is a vertex as well.
bool DominatorTree::may_be_in_chain(std::uint32_t block) const {
  if (!graph_.points(block)) return true;
  int leads_on = 0;
  graph_.for_each_target(
      block, [&](std::uint32_t target) { leads_on += is_joined(target) ? 2 : graph_.points(target); });
  return leads_on <= 1;
}

void DominatorTree::find_vertices() {
  bits_ = joined_;
  for (std::uint32_t block = 0; block < graph_.blocks(); ++block)
    if (!is_joined(block) && !may_be_in_chain(block)) bits_[block / 64] |= std::uint64_t{1} << block % 64;
  ranks_.reserve(bits_.size());
  for (std::uint64_t bits : bits_) {
    ranks_.push_back(vertex_blocks_);
    vertex_blocks_ += static_cast<std::uint32_t>(std::popcount(bits));
  }
}

// Edges of roots are numbered behind those of blocks.
std::uint32_t DominatorTree::first_root_edge(std::uint32_t root) const {
  auto first = std::ranges::lower_bound(root_edges_, root, {}, &RootEdge::root);
  if (first == root_edges_.end() || first->root != root) return kNoEdge;
  return static_cast<std::uint32_t>(graph_.edges() + static_cast<std::size_t>(first - root_edges_.begin()));
}

std::uint32_t DominatorTree::target(std::uint32_t edge) const {
  return edge < graph_.edges() ? graph_.target(edge) : root_edges_[edge - graph_.edges()].block;
}

std::uint32_t DominatorTree::next_edge(std::uint32_t edge) const {
  if (edge < graph_.edges()) return graph_.next_edge(edge);
  std::size_t at = edge - graph_.edges();
  return at + 1 < root_edges_.size() && root_edges_[at + 1].root == root_edges_[at].root ? edge + 1 : kNoEdge;
}

void DominatorTree::add_vertex(std::uint32_t key, std::uint32_t parent, std::uint32_t edge) {
  numbers_[key] = next_;
  parent_[next_] = parent;
  semi_[next_] = edge;  // while numbering: which edge to follow next
  ++next_;
}

void DominatorTree::number_all() {
  std::size_t most = std::size_t{vertex_blocks_} + roots_ + 1;
  numbers_.resize(most - 1);
  parent_.resize(most);
  semi_.resize(most);
  for (std::uint32_t root = 0; root < roots_; ++root) number_from(root);
  parent_.resize(next_);
  semi_.resize(next_);
}

void DominatorTree::number_from(std::uint32_t root) {
  add_vertex(vertex_blocks_ + root, 0, first_root_edge(root));
  for (std::uint32_t at = next_ - 1; at;) {
    std::uint32_t edge = semi_[at];
    if (edge == kNoEdge) {
      at = parent_[at];
      continue;
    }
    semi_[at] = next_edge(edge);
    std::uint32_t block = end_of_chain(target(edge));
    if (block == kNoBlock || numbers_[rank(block)]) continue;
    add_vertex(rank(block), at, graph_.first_edge(block));
    at = next_ - 1;
  }
}

// To vertices that are pointed to more than once, from those that roots lead to, but for the pointers by
// which the search came there: visit(from, to), by number.
template <typename Visit>
void DominatorTree::for_each_joining_edge(Visit visit) const {
  auto meet = [&](std::uint32_t from, std::uint32_t block) {
    if (!is_joined(block)) return;
    if (std::uint32_t to = of_block(block); parent_[to] != from) visit(from, to);
  };
  for (std::uint32_t block = 0; block < graph_.blocks(); ++block) {
    std::uint32_t from = graph_.points(block) && is_vertex(block) ? of_block(block) : 0;
    if (from) graph_.for_each_target(block, [&](std::uint32_t to) { meet(from, to); });
  }
  for (const RootEdge& edge : root_edges_) meet(of_root(edge.root), edge.block);
}

void DominatorTree::find_predecessors() {
  predecessors_begin_.resize(std::size_t{next_} + 1);
  for_each_joining_edge([&](std::uint32_t, std::uint32_t to) { ++predecessors_begin_[to]; });
  std::uint32_t sum = 0;
  for (std::uint32_t& count : predecessors_begin_) count = sum += count;
  predecessors_.resize(sum);
  for_each_joining_edge(
      [&](std::uint32_t from, std::uint32_t to) { predecessors_[--predecessors_begin_[to]] = from; });
}

void DominatorTree::find_semidominators() {
  idom_ = parent_;
  label_.resize(next_);
  for (std::uint32_t i = 0; i < next_; ++i) label_[i] = i;
  for (std::uint32_t i = next_ - 1; i > 0; --i) {
    semi_[i] = parent_[i];
    for (std::uint32_t at = predecessors_begin_[i]; at < predecessors_begin_[i + 1]; ++at)
      semi_[i] = std::min(semi_[i], evaluate(predecessors_[at], i + 1));
    label_[i] = semi_[i];
  }
  predecessors_ = {}, predecessors_begin_ = {}, path_ = {}, label_ = {}, parent_ = {};
}

// The smallest semidominator on the way up from `vertex` among those that are linked: numbered `linked` and above.
std::uint32_t DominatorTree::evaluate(std::uint32_t vertex, std::uint32_t linked) {
  if (parent_[vertex] < linked) return label_[vertex];
  path_.clear();
  std::uint32_t top = vertex;
  for (; parent_[top] >= linked; top = parent_[top]) path_.push_back(top);
  for (std::size_t i = path_.size(); i-- > 0; top = path_[i]) {
    parent_[path_[i]] = parent_[top];
    label_[path_[i]] = std::min(label_[path_[i]], label_[top]);
  }
  return label_[vertex];
}

void DominatorTree::find_dominators() {
  for (std::uint32_t i = 1; i < next_ && !gave_up_; ++i) {
    std::uint32_t at = idom_[i];
    for (; at > semi_[i]; at = idom_[at]) ++steps_;
    idom_[i] = at;
    gave_up_ = steps_ > kStepsAnyway + kMostSteps * next_;
  }
  semi_ = {};
}

}  // namespace dwell::memory::reach
