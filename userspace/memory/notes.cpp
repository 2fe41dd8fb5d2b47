// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/notes.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "userspace/base/text.h"
#include "userspace/recording/late_probes.h"
#include "userspace/views/growth.h"
#include "userspace/memory/part.h"
#include "userspace/memory/windows/figures.h"

namespace dwell {

namespace {

struct LossText {
  const char* name;
  const char* consequence;
};

LossText text_of(LossKind kind) {
  if (kind == kLateProbes)
    return {"microseconds without probes", "code ran before its probes were in place: calls in that time are not counted"};
  switch (kind) {
    case LossKind::kAlloc: return {"allocations lost", "these blocks are not counted"};
    case LossKind::kFree: return {"frees lost", ""};
    case LossKind::kStack: return {"stacks lost", "what they allocated is shown as [unknown]"};
    case LossKind::kMap: return {"mappings lost", "mappings and unmappings are missing from the figures"};
    case LossKind::kProcess: return {"process events lost", "a fork, exec or exit was missed: memory may be counted in the wrong process"};
    case LossKind::kThreadState: return {"calls not seen", "there was no memory for a thread's state: its allocations and frees are missing"};
    case LossKind::kScratch: return {"stacks not walked", "what they allocated is shown as [unknown]"};
    case LossKind::kStackTableFull: return {"stacks not kept", "more different stacks than dwell keeps: shown by the function that was called alone"};
    case LossKind::kUnresolvedStack: return {"stacks not known", "what they allocated is shown as [unknown]"};
    case LossKind::kUndecodable: return {"records not understood", "made by another version of dwell's BPF programs"};
    case LossKind::kThread: return {"threads lost", "the creation or the join of a thread was missed: counts of threads by call site may be wrong"};
    case LossKind::kResult: return {"allocations whose address could not be read", "these blocks are not counted"};
    case LossKind::kNesting: return {"calls of which it is not known whether they are inside another", "a block may be counted twice"};
    case LossKind::kReturn: return {"returns not seen", "the kernel allows 64 nested return probes a thread: these blocks are not counted"};
    case LossKind::kBlocked: return {"waits lost", "they are missing from blocked time"};
    case LossKind::kWakerName: return {"names of wakers lost", "processes that ended a wait are shown without their name"};
    case LossKind::kClockRead: return {"reads of a clock lost", "the counts of reads are too low"};
    case LossKind::kClockWait: return {"timed waits lost", "the counts of waits are too low"};
    case LossKind::kClockPair: return {"pairs of clock reads lost", "an interval measured by the wall clock may be missing"};
    case LossKind::kClockSet: return {"settings of a clock lost", "a step of the wall clock may be missing"};
    case LossKind::kClockThread: return {"clock reads not counted", "there was no memory for a thread's state"};
    case LossKind::kClockTimer: return {"clocks of timers lost", "these timers are shown with an unknown clock"};
    case LossKind::kClockArgument: return {"timeouts that could not be read", "these waits are not counted"};
    case LossKind::kGoSample: return {"samples of the Go heap lost", "the estimates of the Go heap are too low"};
    case LossKind::kGoPark: return {"parks of goroutines lost", "they are missing from waiting time"};
    case LossKind::kGoContext: return {"contexts lost", "they are missing from the count of contexts"};
    case LossKind::kGoParent: return {"parents of contexts that could not be read", "these contexts are shown without all their parents"};
    case LossKind::kFault: return {"page faults lost", "who touched these pages first is not known"};
    case LossKind::kOpen: return {"openings of descriptors lost", "who opened these is not known"};
    case LossKind::kClose: return {"closings of descriptors lost", "they were found missing at the end of the recording, if their process was still there"};
    case LossKind::kTable: return {"descriptors of threads with a table of their own", "they are not in the figures of the process"};
    case LossKind::kTake: return {"takings of --pair lost", "these resources are not tracked"};
    case LossKind::kGive: return {"givings back of --pair lost", "these resources look held"};
    case LossKind::kLockWait: return {"waits for locks lost", "they are missing from the time that locks were waited for"};
    case LossKind::kMappingNews: return {"news of mapped code lost", "all mappings were read anew: code that came and went in between has no names"};
    case LossKind::kSkippedRuns: return {"probe hits that the kernel skipped", "what happened there is not counted"};
    case LossKind::kProbesRefused: return {"functions not probed, because there is no room for more probes", "what they do is not counted"};
    case LossKind::kMapsLine: return {"lines of /proc/PID/maps that could not be understood", "code that is mapped there has no names and no complete stacks"};
    case LossKind::kPerfMapLine: return {"lines of perf-PID.map that could not be understood", "code made at run time may lack names"};
    case LossKind::kFork: return {"forks lost", "these child processes are not recorded"};
    case LossKind::kProcessTableFull:
      return {"children not followed, because too many processes lived at once", "they are not recorded"};
    case LossKind::kChildEndedTooEarly:
      return {"children ended before they could be followed", "they are not recorded"};
    case LossKind::kChildFailed: return {"children could not be followed", "they are not recorded, or only in part"};
  }
  return {"lost, of a kind that this version of dwell does not know", "figures may be wrong"};
}

std::uint64_t since_start(const Recording& recording, std::uint64_t time_ns) {
  return time_ns > recording.start_ns() ? time_ns - recording.start_ns() : 0;
}

}  // namespace

Surprises surprises_in(const Recording& recording, const TickRange& range) {
  Surprises sum;
  for (std::size_t i = range.first; i < range.last; ++i) {
    const Surprises& tick = memory_of(recording).ticks[i].surprises;
    sum.unknown_frees += tick.unknown_frees;
    sum.implied_frees += tick.implied_frees;
    sum.orphan_reallocs += tick.orphan_reallocs;
    sum.refused_blocks += tick.refused_blocks;
    sum.cache_frees += tick.cache_frees;
  }
  return sum;
}

std::vector<LossReport> losses_of(const Recording& recording, const TickRange& range, double mean_freed_size) {
  std::map<LossKind, LossReport> by_kind;
  for (const Loss& loss : recording.losses) {
    // What was lost before the range may still be missing in it.
    if (loss.count == 0 || (loss.time_ns > range.end_ns && range.last != memory_of(recording).ticks.size())) continue;
    auto [it, first] = by_kind.try_emplace(loss.kind);
    LossReport& report = it->second;
    std::uint64_t last_ns = since_start(recording, loss.time_ns);
    std::uint64_t first_ns = since_start(recording, loss.time_ns - std::min(loss.span_ns, loss.time_ns));
    report.first_ns = first ? first_ns : std::min(report.first_ns, first_ns);
    report.last_ns = std::max(report.last_ns, last_ns);
    report.count += loss.count;
  }
  std::vector<LossReport> losses;
  for (auto& [kind, report] : by_kind) {
    LossText text = text_of(kind);
    report.name = text.name;
    report.consequence = text.consequence;
    if (kind == LossKind::kFree) {
      bool one = report.count == 1;
      report.consequence = fmt::format("at most {} block{} (about {}) look{} retained and {} not", report.count, one ? "" : "s",
                                       human_bytes(mean_freed_size * static_cast<double>(report.count)), one ? "s" : "",
                                       one ? "is" : "are");
    }
    losses.push_back(std::move(report));
  }
  return losses;
}

ChildReport children_of(const ChildCounts& counts) {
  ChildReport report{counts, {}};
  if (counts.forked && !counts.asked)
    report.words.push_back(fmt::format("{} child process{} not recorded; --follow-forks follows them.",
                                       counts.forked,
                                       counts.forked == 1 ? " was" : "es were"));
  if (counts.forked && counts.asked)
    report.words.push_back(fmt::format("{} child process{}, {} of them followed.",
                                       counts.forked,
                                       counts.forked == 1 ? "" : "es",
                                       counts.followed));
  if (counts.spawned)
    report.words.push_back(fmt::format("{} program{} started by vfork or posix_spawn {} not recorded.",
                                       counts.spawned,
                                       counts.spawned == 1 ? "" : "s", counts.spawned == 1 ? "was" : "were"));
  return report;
}

namespace {

// Whether reports say how memory grew in these ticks: by the same rule as they do.
bool has_growth(const Recording& recording, const TickRange& range) {
  std::vector<std::uint64_t> times_ns;
  for (std::size_t i = range.first; i < range.last; ++i) times_ns.push_back(memory_of(recording).ticks[i].end_ns);
  return can_tell_growth(times_ns);
}

}  // namespace

std::vector<std::string> notes_of(const Recording& recording, const TickRange& range) {
  std::vector<std::string> notes;
  if (!recording.info.started_by_dwell)
    notes.emplace_back(kOlderHasNoCallSite);
  if (recording.sampled()) {
    notes.push_back(fmt::format("sampled, one point every {} allocated on average: figures of the heap are estimates",
                                human_bytes(static_cast<double>(recording.info.sample_period_bytes))));
  }
  for (std::string& note : memory::windows::notes_of_windows(recording, range)) notes.push_back(std::move(note));
  if (!has_growth(recording, range))
    notes.push_back("too short to tell how memory grows: that takes about 7 s");
  Surprises surprises = surprises_in(recording, range);
  if (surprises.implied_frees > 0) {
    notes.push_back(fmt::format("{} addresses were allocated again although no free of them was seen; those blocks count as freed",
                                surprises.implied_frees));
  }
  if (surprises.orphan_reallocs > 0)
    notes.push_back(fmt::format("{} reallocs were seen only in part; their old blocks count as freed", surprises.orphan_reallocs));
  if (surprises.refused_blocks > 0) {
    notes.push_back(fmt::format("{} blocks were not tracked, because more were live than dwell may hold: figures are too low; "
                                "record with --sample-bytes",
                                surprises.refused_blocks));
  }
  if (recording.skipped_chunks > 0)
    notes.push_back(fmt::format("{} part{} of the recording belong{} to a later version of dwell and {} skipped", recording.skipped_chunks, recording.skipped_chunks == 1 ? "" : "s",
                                recording.skipped_chunks == 1 ? "s" : "", recording.skipped_chunks == 1 ? "was" : "were"));
  for (const Note& note : recording.notes) notes.push_back(note.text);
  return notes;
}

}  // namespace dwell
