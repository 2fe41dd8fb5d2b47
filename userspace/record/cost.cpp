// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/cost.h"

#include "userspace/collect/trace_core.h"

namespace dwell {

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
  bpf_ns_ = time_of_all_runs({counted_runs, counted_ns}, runs);
}

}  // namespace dwell
