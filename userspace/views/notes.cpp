// SPDX-License-Identifier: Apache-2.0
#include "userspace/views/notes.h"

#include <fmt/core.h>

#include <map>

#include "userspace/base/text.h"
#include "userspace/recording/late_probes.h"
#include "userspace/views/growth.h"

namespace dwell {

namespace {

struct LossText {
  const char* name;
  const char* consequence;
};

LossText text_of(LossKind kind) {
  if (kind == kLateProbes)
    return {"microseconds without probes", "code ran before its probes were in place: calls in that time are in no figure"};
  switch (kind) {
    case LossKind::kAlloc: return {"allocations lost", "these blocks are in no figure"};
    case LossKind::kFree: return {"frees lost", ""};
    case LossKind::kStack: return {"stacks lost", "what they allocated is shown as [unknown]"};
    case LossKind::kMap: return {"mappings lost", "mappings and unmappings are missing from the figures"};
    case LossKind::kProcess: return {"process events lost", "a fork, exec or exit was missed: memory may be counted in the wrong process"};
    case LossKind::kThreadState: return {"calls not seen", "there was no memory for a thread's state: its allocations and frees are missing"};
    case LossKind::kScratch: return {"stacks not walked", "what they allocated is shown as [unknown]"};
    case LossKind::kStackTableFull: return {"stacks not kept", "more different stacks than dwell keeps: shown by the function that was called alone"};
    case LossKind::kUnresolvedStack: return {"stacks not known", "what they allocated is shown as [unknown]"};
    case LossKind::kUndecodable: return {"records not understood", "made by another version of dwell's BPF programs"};
    case LossKind::kProcessTableFull: return {"children not followed", "their memory is in no figure"};
  }
  return {"lost, of a kind that this dwell does not know", "figures may be wrong"};
}

std::uint64_t since_start(const Recording& recording, std::uint64_t time_ns) {
  return time_ns > recording.start_ns() ? time_ns - recording.start_ns() : 0;
}

}  // namespace

Surprises surprises_in(const Recording& recording, const TickRange& range) {
  Surprises sum;
  for (std::size_t i = range.first; i < range.last; ++i) {
    const Surprises& tick = recording.ticks[i].surprises;
    sum.unknown_frees += tick.unknown_frees;
    sum.implied_frees += tick.implied_frees;
    sum.orphan_reallocs += tick.orphan_reallocs;
    sum.refused_blocks += tick.refused_blocks;
  }
  return sum;
}

std::vector<LossReport> losses_of(const Recording& recording, const TickRange& range, double mean_freed_size) {
  std::map<LossKind, LossReport> by_kind;
  for (const Loss& loss : recording.losses) {
    // What was lost before the range may still be missing in it.
    if (loss.count == 0 || (loss.time_ns > range.end_ns && range.last != recording.ticks.size())) continue;
    auto [it, first] = by_kind.try_emplace(loss.kind);
    LossReport& report = it->second;
    std::uint64_t time_ns = since_start(recording, loss.time_ns);
    if (first) report.first_ns = time_ns;
    report.last_ns = time_ns;
    report.count += loss.count;
  }
  std::vector<LossReport> losses;
  for (auto& [kind, report] : by_kind) {
    LossText text = text_of(kind);
    report.name = text.name;
    report.consequence = text.consequence;
    if (kind == LossKind::kFree) {
      report.consequence = fmt::format("at most {} blocks (about {}) look retained and are not", report.count,
                                       human_bytes(mean_freed_size * static_cast<double>(report.count)));
    }
    losses.push_back(std::move(report));
  }
  return losses;
}

std::vector<std::string> notes_of(const Recording& recording, const TickRange& range) {
  std::vector<std::string> notes;
  if (!recording.info.started_by_dwell)
    notes.push_back("memory that was allocated before dwell attached is in no figure");
  if (recording.sampled()) {
    notes.push_back(fmt::format("sampled, one point every {} allocated on average: figures of the heap are estimates",
                                human_bytes(static_cast<double>(recording.info.sample_period_bytes))));
  }
  if (range.end_ns - range.start_ns < kMinGrowthSpanNs || range.last - range.first < kMinGrowthPoints)
    notes.push_back("too short to tell growth");
  Surprises surprises = surprises_in(recording, range);
  if (surprises.implied_frees > 0) {
    notes.push_back(fmt::format("{} addresses were given out again though their free had not been seen; those blocks count as freed",
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
    notes.push_back(fmt::format("{} parts of the recording belong to a later version of dwell and were passed over", recording.skipped_chunks));
  for (const Note& note : recording.notes) notes.push_back(note.text);
  return notes;
}

}  // namespace dwell
