// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/reach/settling_looks.h"

#include <fmt/core.h>

#include <utility>

#include "userspace/base/clock.h"
#include "userspace/memory/reach/roots.h"
#include "userspace/memory/reach/shared_pages.h"

namespace dwell::memory::reach {

Result<SettlingLooks> SettlingLooks::begin(const LookLimits& limits, const std::string& doing) {
  Result<RegisterReader> registers = RegisterReader::open(limits.pid);
  if (!registers) return registers.error();
  return SettlingLooks(limits, doing, std::move(*registers));
}

SettlingLooks::SettlingLooks(const LookLimits& limits, std::string doing, RegisterReader registers)
    : limits_(limits),
      doing_(std::move(doing)),
      registers_(std::move(registers)),
      reader_(std::make_unique<heap::CarefulReader>(limits.pid, limits.max_read_per_s)),
      began_ns_(monotonic_ns()) {}

bool SettlingLooks::may_look() {
  if (!unsettled_.empty()) return false;
  if (candidates_.looks() == Candidates::kMostLooks)
    unsettled_ = fmt::format("its pointers move so fast that {} looks found no end of it", candidates_.looks());
  else if (limits_.most_ns && monotonic_ns() - began_ns_ > limits_.most_ns)
    unsettled_ = fmt::format("{} looks took all the time that there was for it", candidates_.looks());
  return unsettled_.empty();
}

bool SettlingLooks::mark(const LiveHeap& live, const Graph& graph, const std::vector<std::uint32_t>& roots, std::vector<bool>& marked,
                         const WordScan& scan, const LateWords& late) {
  graph.mark(roots, marked);
  candidates_.mark_known(live.index(), graph, marked, late.words());
  if (scan.swapped_pages())
    unsettled_ = fmt::format("{} pages are in swap, and what they hold cannot be told", scan.swapped_pages());
  if (graph.cut()) unsettled_ = "there are more pointers than can be kept";
  candidates_.add_look(live.index(), marked);
  return unsettled_.empty() && candidates_.settled();
}

std::vector<std::uint32_t> SettlingLooks::find_roots(const LiveHeap& live, WordScan& scan, LateWords& late) const {
  const BlockIndex& index = live.index();
  std::vector<std::uint32_t> roots = roots_in(live.root_ranges(), index, scan, &late);
  std::vector<std::uint32_t> in_code = roots_in_code(generated_code(live.uses()), index, scan, &late);
  roots.insert(roots.end(), in_code.begin(), in_code.end());
  for (const ThreadRegisters& thread : live.threads()) add_roots(thread.words, index, roots, &late);
  add_roots(kernel_words(limits_.pid), index, roots, &late);
  for_each_shared_word(limits_.pid, live.uses(),
                       [&](std::span<const std::uint64_t> words, std::uint64_t address) { add_roots(words, index, roots, &late, address); });
  late.peek();
  return roots;
}

}  // namespace dwell::memory::reach
