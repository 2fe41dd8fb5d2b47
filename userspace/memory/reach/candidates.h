// SPDX-License-Identifier: Apache-2.0
// Candidates: blocks that no look so far could reach, over several looks at a program that goes on.
//
// A pointer that is moved while the heap is read may be seen nowhere, and all that it holds looks unreachable. So a block
// counts as reachable from the first look on that reached it, and as a root of all later ones: what was unreachable when the
// first look began can be reached by no pointer that a reachable block holds later. A leak is never lost by that; what leaked
// between the looks is.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/reach/block_index.h"
#include "userspace/memory/reach/graph.h"
#include "userspace/memory/reach/late_words.h"

namespace dwell::memory::reach {

class Candidates {
 public:
  static constexpr int kMostLooks = 8;

  // Marks what blocks hold that were reached in a former look, and what its late words lead to by now.
  // `now`: the late words of this look.
  void mark_known(const BlockIndex& index, const Graph& graph, std::vector<bool>& marked, std::vector<LateWord> now = {}) const;
  // What this look reached, mark_known() included.
  void add_look(const BlockIndex& index, const std::vector<bool>& marked);
  // The blocks of the look that was added last, for the next one.
  void keep(BlockIndex index, const std::vector<bool>& marked, FoundLate late = {});
  const FoundLate& late() const { return late_; }  // of the look before
  void no_more_looks() { reached_ = StartMap({}, 16); }

  int looks() const { return looks_; }
  // Two looks in a row reached nothing new of them, or there are none left.
  bool settled() const { return looks_ > 0 && (candidates_.empty() || quiet_ >= 2); }
  // Unreachable in all looks, and there in all of them; in address order.
  const std::vector<LiveBlock>& unreachable() const { return candidates_; }

 private:
  int looks_ = 0, quiet_ = 0;
  StartMap reached_{{}, 16};  // in the last look
  FoundLate late_;            // the same: of what it reached, and of roots
  std::vector<LiveBlock> candidates_;
};

}  // namespace dwell::memory::reach
