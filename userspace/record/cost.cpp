// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/cost.h"

#include <algorithm>

namespace dwell {

void RunPrice::add(std::uint64_t counted_runs, std::uint64_t counted_ns) {
  std::uint64_t runs = counted_runs - std::min(runs_, counted_runs), ns = counted_ns - std::min(ns_, counted_ns);
  if (runs == 0) return;
  runs_ = counted_runs;
  ns_ = counted_ns;
  Slice slice{static_cast<double>(ns) / static_cast<double>(runs), runs};
  if (slices_.size() < kMostSlices)
    slices_.push_back(slice);
  else
    slices_[next_++ % kMostSlices] = slice;
}

KnownTime RunPrice::of(std::uint64_t runs) const {
  if (runs == 0) return 0;
  if (slices_.empty()) return std::nullopt;
  std::vector<Slice> sorted = slices_;
  std::sort(sorted.begin(), sorted.end(), [](const Slice& a, const Slice& b) { return a.ns_a_run < b.ns_a_run; });
  std::uint64_t all = 0, below = 0;
  for (const Slice& slice : sorted) all += slice.runs;
  auto middle = std::find_if(sorted.begin(), sorted.end(), [&](const Slice& slice) { return 2 * (below += slice.runs) >= all; });
  return static_cast<std::uint64_t>(middle->ns_a_run * static_cast<double>(runs));
}

void CostMeter::set_probe(std::uint16_t probe, TrapClass trap, std::optional<TrapClass> exit) {
  if (probe >= traps_.size()) traps_.resize(probe + 1);
  traps_[probe] = {trap, exit};
}

void CostMeter::update(std::span<const dwell_hits> hits, std::uint64_t counted_runs, std::uint64_t counted_ns) {
  std::uint64_t runs = 0;
  double trap_ns = 0;
  probe_hits_ = 0;
  for (std::size_t probe = 0; probe < hits.size() && probe < traps_.size(); ++probe) {
    const Traps& traps = traps_[probe];
    trap_ns += hits[probe].entries * prices_.entry_ns[static_cast<int>(traps.entry)];
    trap_ns += hits[probe].returns * (traps.exit ? prices_.entry_ns[static_cast<int>(*traps.exit)] : prices_.return_ns);
    probe_hits_ += hits[probe].entries;
    runs += hits[probe].entries + hits[probe].returns;
  }
  trap_ns_ = static_cast<std::uint64_t>(trap_ns);
  run_price_.add(counted_runs, counted_ns);
  bpf_ns_ = run_price_.of(runs);
}

}  // namespace dwell
