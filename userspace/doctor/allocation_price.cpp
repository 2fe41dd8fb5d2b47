// SPDX-License-Identifier: Apache-2.0
#include "userspace/doctor/allocation_price.h"

#include <fmt/core.h>

#include <chrono>
#include <thread>
#include <utility>

#include "userspace/base/clock.h"
#include "userspace/base/time_units.h"
#include "userspace/collect/trace_core.h"
#include "userspace/memory/tracer.h"
#include "userspace/memory/windows/hit_count.h"
#include "userspace/memory/windows/hit_prices.h"
#include "userspace/process/process.h"
#include "userspace/unwind/unwind_tables.h"

namespace dwell {
namespace {

constexpr int kMoments = 10;
constexpr std::uint64_t kMomentNs = 5 * kMillisecond, kPauseNs = 95 * kMillisecond;
constexpr std::uint64_t kMostHits = 500;  // in a moment: it ends there
constexpr TargetSlot kSlot = 0;

std::vector<ProbeSite> sites_that_allocate(const TargetExamination& target) {
  std::vector<ProbeSite> sites;
  for (const PlannedProbe& probe : target.probes)
    if (probe.refusal.empty() && wants_return(probe.function.shape) && probe.function.family != AllocFamily::kMapping) sites.push_back(probe.site);
  return sites;
}

}  // namespace

Result<AllocationPrice> measure_allocations(const TargetExamination& target, const Calibration& calibration) {
  const std::string doing = fmt::format("count the allocations of PID {}", target.pid);
  AttachMethod method = *calibration.abilities.best;
  if (method == AttachMethod::kPerf) return Error{doing + ": this kernel attaches probes one by one, too slowly for that", "", Exit::kUnsupported};
  Result<TraceCore> core = TraceCore::load({.unwind_sizes = UnwindTables().sizes_to_load()});
  if (!core) return core.error();
  if (Result<void> added = core->add_target(target.pid, kSlot); !added) return added.error();
  Result<MemoryTracer> tracer = MemoryTracer::load(*core, {.sample_bytes = 0, .method = method, .budgeted = true});
  if (!tracer) return tracer.error();
  Result<memory::windows::KernelLevels> levels = tracer->levels();
  if (!levels) return levels.error();
  levels->set_level(kSlot, DWELL_LEVEL_CLOSED);

  std::vector<ProbeSite> sites = sites_that_allocate(target);
  std::uint64_t begun_ns = monotonic_ns(), cpu_ns = process_cpu_ns(target.pid).value_or(0), covered_ns = 0, hits = 0;
  for (int moment = 0; moment < kMoments; ++moment) {
    ProbeLinks links(method, tracer->programs(), target.pid);
    auto count = memory::windows::count_hits(*levels, kSlot, std::move(links), sites, kMomentNs, kMostHits);
    if (!count) return count.error();
    hits += count->hits, covered_ns += count->lasted_ns;
    std::this_thread::sleep_for(std::chrono::nanoseconds(kPauseNs));
  }
  auto lasted = static_cast<double>(monotonic_ns() - begun_ns);
  memory::windows::HitPrices prices(*tracer, calibration.prices, method == AttachMethod::kSession);
  AllocationPrice price;
  price.per_second = static_cast<double>(hits) * 1e9 / static_cast<double>(covered_ns);
  price.cpus = static_cast<double>(process_cpu_ns(target.pid).value_or(cpu_ns) - cpu_ns) / lasted;
  price.ns_each = prices.allocation() + prices.free();
  return price;
}

}  // namespace dwell
