// SPDX-License-Identifier: Apache-2.0
// SettlingLooks: looks at the heap of a running process, one after the other, until it is settled which blocks nothing leads to
// (candidates.h), or cannot be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/memory/reach/candidates.h"
#include "userspace/memory/reach/live_heap.h"
#include "userspace/memory/reach/look_limits.h"
#include "userspace/memory/reach/word_scan.h"

namespace dwell::memory::reach {

class SettlingLooks {
 public:
  // `doing`: for messages, "find leaks of PID 7".
  static Result<SettlingLooks> begin(const LookLimits& limits, const std::string& doing);

  // The last one, by which it was settled or given up; valid while it is visited.
  struct LastLook {
    LiveHeap& live;
    const Graph& graph;
    WordScan& scan;
    bool settled;
    const std::vector<LiveBlock>& unreachable;  // in address order; means something if it is settled
    const FoundLate& late;                      // of the look before: what they lead to is reachable
    const LateWords& now;                       // of this one
  };
  // `visit(LastLook)` is called once, if it settles; otherwise unsettled() says why not.
  template <typename Visit>
  Result<void> run(Visit visit) {
    auto if_settled = [&](const LastLook& look) {
      if (look.settled) visit(look);
    };
    return run_to_the_end([](const LiveHeap&) { return Graph::FirstWords(); }, if_settled);
  }
  // Visits the last look in any case. `begin(live)`: of each look, who gets the first words of its blocks.
  template <typename Begin, typename Visit>
  Result<void> run_to_the_end(Begin begin, Visit visit) {
    for (;;) {
      auto live = LiveHeap::read(doing_, *reader_, registers_);
      if (!live) return live.error();
      WordScan scan((*live)->target());
      LateWords late((*live)->target(), (*live)->index());
      std::vector<std::uint32_t> roots = find_roots(**live, scan, late);
      Graph graph((*live)->index(), scan, begin(**live), &late);
      std::vector<bool> marked((*live)->index().size());
      if (late.full()) unsettled_ = "there are more pointers to what is no block than can be kept";
      bool settled = mark(**live, graph, roots, marked, scan, late);
      if (settled || !may_look()) {
        candidates_.no_more_looks();
        visit(LastLook{**live, graph, scan, settled, candidates_.unreachable(), candidates_.late(), late});
        return {};
      }
      candidates_.keep((*live)->take_index(), marked, std::move(late).take());
    }
  }
  const std::string& unsettled() const { return unsettled_; }  // "": it is settled
  int looks() const { return candidates_.looks(); }
  std::uint64_t bytes_read() const { return reader_->bytes_read(); }

 private:
  SettlingLooks(const LookLimits& limits, std::string doing, RegisterReader registers);
  bool may_look();
  // Whether it is settled now.
  bool mark(const LiveHeap& live, const Graph& graph, const std::vector<std::uint32_t>& roots, std::vector<bool>& marked, const WordScan& scan,
            const LateWords& late);
  std::vector<std::uint32_t> find_roots(const LiveHeap& live, WordScan& scan, LateWords& late) const;

  LookLimits limits_;
  std::string doing_, unsettled_;
  RegisterReader registers_;
  std::unique_ptr<heap::CarefulReader> reader_;
  Candidates candidates_;
  std::uint64_t began_ns_ = 0;
};

}  // namespace dwell::memory::reach
