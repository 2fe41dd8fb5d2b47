// SPDX-License-Identifier: Apache-2.0
// By which root each block is reached first; and roots of what only words lead to that moved from one look to
// the next.
#pragma once

#include <cstdint>
#include <vector>

#include "userspace/memory/reach/candidates.h"
#include "userspace/memory/reach/graph.h"
#include "userspace/memory/reach/named_roots.h"

namespace dwell::memory::reach {

// In this order: variables of the program, of its libraries, data without symbols, thread-local variables,
// other memory, generated code, stacks, the kernel. Four bytes a block.
class FirstReached {
 public:
  static constexpr std::uint32_t kNone = ~0u;

  FirstReached(const Graph& graph, const NamedRoots& roots);
  std::uint32_t of(std::uint32_t block) const { return reached_by_[block]; }

  // From blocks of the heap to what they were seen to point to when it was no block yet, and what that led
  // to: visit(root, block) of each block that nothing else was seen to lead to.
  template <typename Visit>
  void follow(const FoundLate& late, const BlockIndex& index, Visit visit) {
    bool any = true;
    auto lead = [&](std::uint64_t from_address, std::uint64_t to_address) {
      std::uint32_t from = from_address ? index.find(from_address) : kNone, to = index.find(to_address);
      if (from == kNone || to == kNone || reached_by_[from] == kNone || reached_by_[to] != kNone) return;
      visit(reached_by_[from], to);
      reach(to, reached_by_[from]);
      any = true;
    };
    for (int round = 0; any && round < kRounds; ++round) {
      any = false;
      for (const LateWord& word : late.words) lead(word.from, word.word);
      for (const PeekedWord& peeked : late.peeked) lead(peeked.late.from, peeked.target);
    }
  }

 private:
  static constexpr int kRounds = 8;
  void reach(std::uint32_t from, std::uint32_t root);

  const Graph& graph_;
  std::vector<std::uint32_t> reached_by_, open_;
};

// Gives what no word of this look leads to (not in `marked`) to the root that held it in the look before.
// `roots`: found already.
void hold_late_words(const Graph& graph, const BlockIndex& index, const FoundLate& late, NamedRoots& roots,
                     std::vector<bool>& marked);

}  // namespace dwell::memory::reach
