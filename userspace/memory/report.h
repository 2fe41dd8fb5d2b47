// SPDX-License-Identifier: Apache-2.0
// The model of `dwell report`: everything that its text and its JSON say, computed and in order, so that the
// writers only lay it out. Byte figures of sampled recordings are scaled, and say their standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/known_time.h"
#include "userspace/base/result.h"
#include "userspace/recording/model.h"
#include "userspace/views/growth.h"
#include "userspace/memory/balance.h"
#include "userspace/memory/site_holding.h"
#include "userspace/memory/view.h"
#include "userspace/views/report_stack.h"
#include "userspace/memory/tick.h"

namespace dwell {

enum class SortKey { kRetained, kBlocks, kGrowth, kAllocated, kAllocations, kTemporary, kPeak, kAge };
std::optional<SortKey> sort_key_named(std::string_view name);  // "retained", "blocks", "growth", ...
std::string_view name_of(SortKey key);

// All but the first: of the frame that is the call site (asking_frames.h).
enum class GroupBy { kStack, kFunction, kModule, kFile };
std::optional<GroupBy> group_by_named(std::string_view name);

struct MemoryFigures {
  double retained_bytes = 0, retained_blocks = 0;
  double retained_error = 0;  // bytes, one standard error; 0 if not sampled
  double allocated_bytes = 0, allocations = 0;
  double allocated_error = 0;  // bytes, one standard error; 0 if exact
  bool estimated = false;      // by windows, all or in part: docs/budget.md
  bool retained_known = true;  // false: what windows met is not in what is retained
  bool range_only = false;     // of what is retained, only that it lies between low and high
  double retained_low = 0, retained_high = 0;  // 95 %; equal to retained_bytes if exact
  double freed_bytes = 0, frees = 0;
  double temporary_blocks = 0, temporary_bytes = 0;  // of the freed, those younger than filter.temporary_ns
  double peak_bytes = 0, peak_blocks = 0;            // part of the highest point of its process and kind
  double inherited_bytes = 0, inherited_blocks = 0;  // came by fork
  double dropped_bytes = 0, dropped_blocks = 0;      // went with exec, or inherited and gone with the exit
  // Slope over the range (Theil-Sen), bytes a minute; none where the range is too short to say.
  std::optional<double> growth_per_minute;
  double temporary_share() const { return allocations > 0 ? temporary_blocks / allocations : 0; }
};

// What one of several processes has of a figure that is told as their sum.
struct ProcessShare {
  ProcessSlot process = 0;
  MemoryFigures figures;
  GrowthShape growth = GrowthShape::kUnknown;
};

struct SiteReport {
  MemoryKind kind = MemoryKind::kHeap;
  ProcessSlot process = 0;         // of a sum, the first of its program
  ReportStack stack;               // leaf first; one frame if grouped by function or module
  bool folded = false;             // turns of a recursion are left out of the stack
  std::string incomplete;          // why the stack could not be followed to its root; "" if it could
  MemoryFigures figures;
  std::optional<std::uint64_t> oldest_age_ns, median_age_ns;  // of what is retained, at the end of the range
  std::uint32_t stacks = 1;        // how many different stacks this row adds up
  std::uint32_t site = 0;          // index in the SiteTable of this recording and grouping
  std::vector<double> live_at = {};  // bytes at moments_ns of the report, of the sites that come first
  std::vector<ProcessShare> shares = {};  // by process, if this adds up several
  std::optional<SiteHolding> holding = {};  // what holds what is retained; none: not known
};

// Blocks from before the recording were freed in it: what was allocated and stays is then not what the heap grew by.
struct OlderFrees {
  std::uint64_t frees = 0;
  std::optional<double> live_change;  // bytes, of all live blocks; none: the size of what was freed is not known
  bool level = false;                 // as much was freed as was allocated
};

// By walks of the heap at both ends of the recording.
struct CountedChange {
  double bytes = 0;    // of all live blocks
  bool level = false;  // no more than comes and goes
};

struct UnnamedSize {
  std::uint64_t usable = 0;  // bytes of each block
  double bytes = 0;
};

struct KindReport {
  MemoryKind kind = MemoryKind::kHeap;
  ProcessSlot process = 0;          // of a sum, the first of its program
  MemoryFigures figures;            // equal to the sum over its sites, those left out included
  std::uint64_t peak_time_ns = 0;   // since the start of the recording
  GrowthPattern growth;
  std::optional<OlderFrees> older = {};  // where they matter
  std::optional<CountedChange> counted = {};  // of a heap whose figures are estimates
  double unnamed_growth = 0;             // of live blocks, by walks of the heap, that an estimate has at no call site; at least
  std::vector<UnnamedSize> unnamed_sizes = {};  // the largest parts of it
  double leaked_bytes = 0;               // of what is retained: nothing leads there any more
  std::vector<ProcessShare> shares = {};  // by process, if this adds up several
};

struct LossReport {
  std::string name;         // "frees lost"
  std::uint64_t count = 0;
  std::uint64_t first_ns = 0, last_ns = 0;  // since the start of the recording
  std::string consequence;  // "at most 12 blocks (about 3.1 KB) look retained and are not"
};

struct ChildReport {
  ChildCounts counts;
  std::vector<std::string> words;  // sentences about those that are not recorded
};

struct CostPartReport {
  std::string name;  // "page faults"
  std::uint64_t ns = 0;
  std::optional<double> target_cpu_percent;
};

// What there was at a checkpoint, since the recording began.
struct CostMoment {
  std::uint64_t time_ns = 0, probes_ns = 0, target_cpu_ns = 0;
};

struct CostReport {
  // Cost of the probes in % of the target's own CPU time, which is never more than all of it; none: it used too little of
  // it to tell.
  std::optional<double> target_cpu_percent;
  std::uint64_t probe_hits = 0, trap_ns = 0, target_cpu_ns = 0, dwell_cpu_ns = 0;
  KnownTime bpf_ns;  // not known: the share above is without it
  std::vector<CostPartReport> parts = {};      // dearest first; of trap_ns and bpf_ns
  std::optional<double> one_cpu_percent = {};  // the same cost in % of one CPU; set where the target used less than a quarter of one
  std::vector<CostMoment> course = {};
};

struct StackQuality {
  double complete_share = 1;        // of allocations
  std::vector<std::pair<std::string, double>> incomplete;  // reason, allocations
  double unnamed_share = 0;         // of the locations in use, those without a function's name
  double allocations = 0;           // that all shares are of; 0: nothing can be said
};

struct MemoryReport {
  RecordingInfo info;
  std::vector<ProcessInfo> processes;
  std::vector<ProcessSlot> leads;        // by process: the first of its program, where those are added up; else itself
  std::uint64_t from_ns = 0, to_ns = 0;  // the range, since the start of the recording
  std::uint64_t duration_ns = 0;         // of the whole recording
  std::optional<Tid> thread;             // of that thread alone: then only what is retained is known
  std::vector<Unseen> unseen;            // what all figures leave out: it comes first
  std::vector<std::string> notes;        // what makes the figures uncertain, and what else should be known
  std::vector<ProcessBalance> balances;  // of the processes as a whole, whoever allocated
  bool ended = true;                     // false: cut off
  std::string end_reason;
  double events = 0;
  std::vector<KindReport> totals;        // by process, or program, and kind
  std::vector<SiteReport> sites;         // sorted, filtered
  std::vector<std::uint64_t> moments_ns; // since the start of the recording
  std::vector<KindReport> left_out;      // by process and kind: what the filters took away, so that sums add up
  std::size_t sites_left_out = 0;
  std::vector<LossReport> losses;
  std::optional<ChildReport> children;   // none: the recording does not say
  std::optional<CostReport> cost;
  StackQuality stacks;
  Surprises surprises;
  SortKey sort = SortKey::kRetained;
};

Result<MemoryReport> memory_report(RecordingRef recording, const MemoryFilter& filter,
                                   SortKey sort = SortKey::kRetained, GroupBy group = GroupBy::kStack);

struct DiffSite {
  MemoryKind kind = MemoryKind::kHeap;
  ReportStack stack;
  MemoryFigures before, after;
  bool in_before = false, in_after = false;
};

// What two recordings have in common. Only two windows of one process are compared by rate: what the first saw being
// allocated is not seen by the second, so the smaller figure does not mean that anything shrank.
enum class DiffRelation { kTwoRuns, kOneProcess, kDifferentPrograms };
std::string_view name_of(DiffRelation relation);  // "two runs", "one process", "different programs"

struct MemoryDiff {
  DiffRelation relation = DiffRelation::kTwoRuns;
  RecordingInfo before, after;
  std::string before_process, after_process;  // "redis-server (1234)"
  std::uint64_t before_duration_ns = 0, after_duration_ns = 0;
  std::vector<std::string> notes;
  std::vector<DiffSite> sites;  // by retained growth, largest first; sites that did not change are left out
  std::vector<DiffSite> totals; // by kind, without a stack

  // What is compared: bytes retained, of two windows of one process bytes a minute.
  double before_bytes(const DiffSite& site) const { return compared(site.before.retained_bytes, before_duration_ns); }
  double after_bytes(const DiffSite& site) const { return compared(site.after.retained_bytes, after_duration_ns); }
  double change(const DiffSite& site) const { return after_bytes(site) - before_bytes(site); }
  double compared(double value, std::uint64_t duration_ns) const {
    constexpr double kMinuteNs = 60e9;
    if (relation != DiffRelation::kOneProcess || duration_ns == 0) return value;
    return value * kMinuteNs / static_cast<double>(duration_ns);
  }

  std::vector<ProcessBalance> before_balances = {}, after_balances = {};  // of the processes as a whole
  std::vector<DiffSite> unchanged = {};  // the other call sites, where they were asked for
};

enum class DiffRows { kChanged, kAll };
Result<MemoryDiff> memory_diff(RecordingRef before, RecordingRef after, const MemoryFilter& filter,
                               DiffRows rows = DiffRows::kChanged);

// RSS of all processes at the end of one side; none: not known of any.
struct ResidentSum {
  std::uint64_t bytes = 0;
  std::size_t processes = 0;
};
std::optional<ResidentSum> resident_at_end(const std::vector<ProcessBalance>& balances);

}  // namespace dwell
