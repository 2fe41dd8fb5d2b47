// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/windows/hit_prices.h"

#include <algorithm>

namespace dwell::memory::windows {
namespace {

constexpr std::uint64_t kEvery = 200'000'000;
constexpr std::uint64_t kEnoughHits = 200;

}  // namespace

void HitPrices::set_probe(std::uint16_t probe, TrapClass trap, std::optional<TrapClass> exit) {
  std::lock_guard lock(mutex_);
  meter_.set_probe(probe, trap, exit);
  probes_ = std::max<std::size_t>(probes_, probe + 1u);
}

void HitPrices::update(std::uint64_t now_ns) {
  std::lock_guard lock(mutex_);
  if (now_ns - updated_ns_ < kEvery) return;
  updated_ns_ = now_ns;
  RunTime counted = all_runs();
  std::vector<dwell_hits> hits = tracer_.hits(probes_);
  if (!returns_refused_)
    for (dwell_hits& one : hits) one.returns = std::max(one.returns, one.entries);
  meter_.update(hits, counted.runs, counted.ns);
  if (counted.runs > kEnoughHits) program_ns_ = static_cast<double>(counted.ns) / static_cast<double>(counted.runs);
  double cost = static_cast<double>(meter_.trap_ns());
  for (const dwell_hits& one : hits) cost += program_ns_ * static_cast<double>(one.entries + one.returns);
  if (meter_.probe_hits() - hits_ < kEnoughHits) return;
  per_hit_ = std::max(0.0, cost - cost_ns_) / static_cast<double>(meter_.probe_hits() - hits_);
  hits_ = meter_.probe_hits();
  cost_ns_ = cost;
}

RunTime HitPrices::all_runs() const {
  RunTime all = tracer_.run_time();
  return {all.runs + in_windows_.runs, all.ns + in_windows_.ns};
}

RunTime HitPrices::run_time() const {
  std::lock_guard lock(mutex_);
  return all_runs();
}

double HitPrices::allocation() const {
  std::lock_guard lock(mutex_);
  return prices_.entry_ns[static_cast<int>(TrapClass::kEmulated)] + prices_.return_ns + 2 * program_ns_;
}

double HitPrices::free() const {
  std::lock_guard lock(mutex_);
  return prices_.entry_ns[static_cast<int>(TrapClass::kEmulated)] + program_ns_;
}

double HitPrices::per_hit() const {
  {
    std::lock_guard lock(mutex_);
    if (per_hit_ > 0) return per_hit_;
  }
  return (allocation() + free()) / 2;
}

}  // namespace dwell::memory::windows
