// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/findings.h"

#include <fmt/core.h>

#include "ui/values.h"
#include "ui/words.h"
#include "userspace/memory/account/look_text.h"
#include "userspace/memory/heap/class_name.h"
#include "userspace/record/subject.h"

namespace dwell {
namespace {

constexpr double kNearlyFull = 0.9;
// Less than that is what every allocator keeps.
constexpr double kMuchFree = 0.25;
constexpr std::uint64_t kFreeThatMatters = std::uint64_t{64} << 20;

// Leaks are searched for by reading the heap three times or more: in larger ones only where that is asked for.
constexpr std::uint64_t kLargestSearched = std::uint64_t{128} << 20;
constexpr std::uint64_t kLongestSearchNs = 2'000'000'000;  // pointers that move fast may take many more looks
// A few blocks that are lost once, at the start, do no harm.
constexpr std::uint64_t kLeakThatMatters = 64 << 10, kLeakedShare = 100;

std::string percent(double share) { return fmt::format("{:.0f}%", share * 100); }

std::optional<Finding> nearly_full(const std::vector<MemoryLimit>& limits, pid_t pid) {
  if (limits.empty() || limits[0].share() < kNearlyFull) return std::nullopt;
  const MemoryLimit& tightest = limits[0];
  Finding finding;
  finding.weight = FindingWeight::kLimit;
  finding.headline = fmt::format("{} of the {} that its control group may use{} are in use ({})", bytes_text(tightest.in_use),
                                 bytes_text(tightest.limit), tightest.throttles() ? " before it is slowed down" : "", percent(tightest.share()));
  finding.evidence.push_back(fmt::format("{} of {}; page cache that can be dropped is not counted", tightest.file, tightest.group));
  if (tightest.throttles() && tightest.high)
    finding.evidence.push_back(fmt::format("the kernel has slowed it down {}", counted(tightest.high, "time")));
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
  std::uint64_t trimmable = 0, pinned = 0;
  const memory::heap::Pin* most = nullptr;
  for (const memory::HeapLook& heap : look.heaps) {
    trimmable += heap.inventory.trimmable;
    pinned += heap.inventory.pinned_bytes;
    if (!heap.inventory.pins.empty() && (!most || heap.inventory.pins[0].free_bytes > most->free_bytes)) most = &heap.inventory.pins[0];
  }
  if (trimmable) finding.evidence.push_back(fmt::format("malloc_trim(0) would give back about {}", bytes_text(trimmable)));
  // Of little use beside what can be given back.
  if (most && pinned > trimmable / 4) {
    finding.evidence.push_back(fmt::format("fragmentation: {} can't be given back, because live blocks lie on the same pages, most of it beside {} of {}",
                                           bytes_text(pinned), counted(most->blocks, "block"), bytes_range(most->from, most->to)));
  }
  finding.command = fmt::format("dwell memory {}", look.process.pid);
  return finding;
}

std::optional<Finding> kept_by_go(const memory::MemoryLook& look) {
  std::int64_t idle = look.account.of(memory::Part::kGoIdle).resident;
  if (idle < static_cast<std::int64_t>(kFreeThatMatters) || static_cast<double>(idle) < kMuchFree * static_cast<double>(look.account.resident)) return std::nullopt;
  Finding finding;
  finding.weight = FindingWeight::kWaste;
  finding.headline = fmt::format("{} of {} RSS are idle memory of the Go heap, which the runtime has not given back yet", bytes_text(static_cast<std::uint64_t>(idle)),
                                 bytes_text(look.account.resident));
  finding.evidence.push_back("it gives back slowly what it did not use lately; debug.FreeOSMemory() does so at once");
  finding.command = fmt::format("dwell memory {}", look.process.pid);
  return finding;
}

std::optional<Finding> leaked(const memory::reach::LeakReport& leaks, pid_t pid) {
  if (leaks.lost_blocks < 2 || leaks.lost_bytes < kLeakThatMatters || leaks.lost_bytes < leaks.live_bytes / kLeakedShare) return std::nullopt;
  Finding finding;
  finding.weight = FindingWeight::kPileUp;
  finding.headline = fmt::format("{} in {} blocks are leaked: nothing points to them any more", bytes_text(leaks.lost_bytes), count_text(leaks.lost_blocks));
  finding.evidence.push_back(fmt::format("{} of the bytes in live blocks", percent(static_cast<double>(leaks.lost_bytes) / static_cast<double>(leaks.live_bytes))));
  if (!leaks.groups.empty()) {
    const memory::reach::LeakGroup& most = leaks.groups[0];
    std::string what = most.is_class ? memory::heap::class_name(most.what, most.array) : fmt::format("blocks of {}", bytes_text(most.usable));
    finding.evidence.push_back(fmt::format("most of it: {} {}{}", count_text(most.blocks), what, most.held_blocks ? " and what they hold" : ""));
  }
  finding.command = fmt::format("dwell memory {} --leaks", pid);
  return finding;
}

// In the line of what was looked at.
std::string leaks_in_short(const memory::reach::LeakReport& leaks) {
  if (!leaks.unsettled.empty()) return "";
  if (leaks.lost_blocks == 0) return "; no leak";
  return fmt::format("; {} in {} leaked", bytes_text(leaks.lost_bytes), counted(leaks.lost_blocks, "block"));
}

// None where it would take long, or cannot be told.
std::optional<memory::reach::LeakReport> leaks_in(const memory::MemoryLook& look, std::uint64_t max_read_per_s) {
  std::uint64_t bytes = 0;
  for (const memory::HeapLook& heap : look.heaps) bytes += heap.inventory.live().bytes;
  if (bytes == 0 || bytes > kLargestSearched) return std::nullopt;
  Result<memory::reach::LeakReport> leaks = memory::reach::find_leaks({look.process.pid, max_read_per_s, kLongestSearchNs});
  if (!leaks || !leaks->unsettled.empty()) return std::nullopt;
  return std::move(*leaks);
}

}  // namespace

Findings findings_of(const memory::MemoryLook& look, const std::vector<MemoryLimit>& limits, const memory::reach::LeakReport* leaks) {
  Findings result;
  result.looked_at = memory::headline_text(look);
  if (leaks) {
    result.looked_at += leaks_in_short(*leaks);
    if (std::optional<Finding> lost = leaked(*leaks, look.process.pid)) result.findings.push_back(*lost);
  }
  if (!limits.empty())
    result.looked_at += fmt::format("; its control group uses {} of {}", bytes_text(limits[0].in_use), bytes_text(limits[0].limit));
  if (std::optional<Finding> full = nearly_full(limits, look.process.pid)) result.findings.push_back(*full);
  if (std::optional<Finding> kept = kept_by_allocator(look)) result.findings.push_back(*kept);
  if (std::optional<Finding> kept = kept_by_go(look)) result.findings.push_back(*kept);
  return result;
}

std::vector<RuntimeMemory> runtimes_of(const LookRequest& request) {
  std::vector<RuntimeMemory> all;
  if (request.peers)
    for (auto memory_of : request.peers->runtime_memory) all.push_back(memory_of(request.pid));
  return all;
}

std::optional<Findings> memory_findings(const LookRequest& request) {
  memory::LookOptions options;
  options.pid = request.pid;
  options.runtimes = runtimes_of(request);
  Result<memory::MemoryLook> look = memory::look_at_memory(options);
  if (!look) return Findings{"", "memory: " + look.error().what, {}};
  std::optional<memory::reach::LeakReport> leaks = leaks_in(*look, options.max_read_per_s);
  return findings_of(*look, memory_limits(request.pid), leaks ? &*leaks : nullptr);
}

}  // namespace dwell
