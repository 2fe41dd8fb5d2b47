// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/findings.h"

#include <fmt/core.h>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/memory/account/look_text.h"

namespace dwell {
namespace {

constexpr double kNearlyFull = 0.9;
// Less than that is what every allocator keeps.
constexpr double kMuchFree = 0.25;
constexpr std::uint64_t kFreeThatMatters = std::uint64_t{64} << 20;

std::string percent(double share) { return fmt::format("{:.0f}%", share * 100); }

std::optional<Finding> nearly_full(const std::vector<memory::MemoryLimit>& limits, pid_t pid) {
  if (limits.empty() || limits[0].share() < kNearlyFull) return std::nullopt;
  const memory::MemoryLimit& tightest = limits[0];
  Finding finding;
  finding.weight = FindingWeight::kLimit;
  finding.headline = fmt::format("{} of the {} that its control group may use are in use ({})", bytes_text(tightest.in_use),
                                 bytes_text(tightest.limit), percent(tightest.share()));
  finding.evidence.push_back(fmt::format("memory.max of {}; page cache that can be dropped is not counted", tightest.group));
  if (tightest.oom_kills)
    finding.evidence.push_back(fmt::format("the kernel has ended {} in it for want of memory", counted(tightest.oom_kills, "process")));
  finding.command = fmt::format("dwell memory {} --leaks", pid);
  return finding;
}

std::optional<Finding> kept_by_allocator(const memory::MemoryLook& look) {
  std::int64_t free = look.account.of(memory::Part::kFree).resident;
  if (free < static_cast<std::int64_t>(kFreeThatMatters) || static_cast<double>(free) < kMuchFree * static_cast<double>(look.account.resident)) return std::nullopt;
  Finding finding;
  finding.weight = FindingWeight::kWaste;
  finding.headline = fmt::format("{} of {} RSS are free memory that the allocator keeps", bytes_text(static_cast<std::uint64_t>(free)), bytes_text(look.account.resident));
  std::uint64_t trimmable = 0;
  for (const memory::HeapLook& heap : look.heaps) trimmable += heap.inventory.trimmable;
  if (trimmable) finding.evidence.push_back(fmt::format("malloc_trim(0) would give back about {}", bytes_text(trimmable)));
  finding.command = fmt::format("dwell memory {}", look.process.pid);
  return finding;
}

}  // namespace

Findings findings_of(const memory::MemoryLook& look, const std::vector<memory::MemoryLimit>& limits) {
  Findings result;
  result.looked_at = memory::headline_text(look);
  if (!limits.empty())
    result.looked_at += fmt::format("; its control group uses {} of {}", bytes_text(limits[0].in_use), bytes_text(limits[0].limit));
  if (std::optional<Finding> full = nearly_full(limits, look.process.pid)) result.findings.push_back(*full);
  if (std::optional<Finding> kept = kept_by_allocator(look)) result.findings.push_back(*kept);
  return result;
}

std::optional<Findings> memory_findings(const LookRequest& request) {
  memory::LookOptions options;
  options.pid = request.pid;
  Result<memory::MemoryLook> look = memory::look_at_memory(options);
  if (!look) return Findings{"", "memory: " + look.error().what, {}};
  return findings_of(*look, memory::memory_limits(request.pid));
}

}  // namespace dwell
