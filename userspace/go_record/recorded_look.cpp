// SPDX-License-Identifier: Apache-2.0
#include "userspace/go_record/recorded_look.h"

#include <algorithm>

namespace dwell {
namespace {

GoStuck recorded_stuck(const StuckFinding& found) {
  GoStuck stuck{{found.goroutines.begin(), found.goroutines.end()},
                found.proved,
                found.reservation,
                found.looks,
                found.candidates,
                found.copied_bytes,
                found.took_ns};
  std::sort(stuck.goroutines.begin(), stuck.goroutines.end());
  return stuck;
}

std::array<std::int64_t, 4> values_of(const HeapCounts& counts) {
  return {counts.in_use_objects, counts.in_use_bytes, counts.allocated_objects, counts.allocated_bytes};
}

// ---- and back ----

std::vector<GoCall> calls_of(const Recording& recording, const GoStack& stack) {
  std::vector<GoCall> calls;
  for (std::uint32_t location : recording.stacks[static_cast<std::size_t>(stack.stack)].locations) {
    if (location >= recording.symbols.size()) continue;
    const std::vector<SymbolFrame>& frames = recording.symbols[location].frames;
    for (std::size_t i = 0; i < frames.size() && calls.size() < stack.hidden.size(); ++i)
      calls.push_back({frames[i].function, frames[i].file, frames[i].line, i + 1 < frames.size(),
                       stack.hidden[calls.size()]});
  }
  return calls;
}

GoroutineGroup group_of(const Recording& recording, const GoGroup& from) {
  GoroutineGroup group;
  group.state = from.state;
  group.stack_state = from.stack_state;
  group.waits = from.waits;
  group.stuck = from.stuck;
  group.of_runtime = from.of_runtime;
  group.count = from.count;
  group.without_time = from.without_time;
  group.longest_wait_ns = from.longest_wait_ns;
  group.shortest_wait_ns = from.shortest_wait_ns;
  group.calls = calls_of(recording, from.stack);
  if (std::vector<GoCall> creator = calls_of(recording, from.creator); !creator.empty())
    group.creator = creator[0];
  group.labels = from.labels;
  group.examples = from.examples;
  return group;
}

StuckFinding stuck_of(const GoStuck& from) {
  StuckFinding stuck;
  stuck.goroutines.insert(from.goroutines.begin(), from.goroutines.end());
  stuck.proved = from.proved;
  stuck.reservation = from.reservation;
  stuck.looks = from.looks;
  stuck.candidates = from.candidates;
  stuck.copied_bytes = from.copied_bytes;
  stuck.took_ns = from.took_ns;
  return stuck;
}

std::optional<HeapProfile> heap_of(const Recording& recording, const GoLook& look) {
  std::optional<HeapProfile> profile;
  std::map<std::uint32_t, HeapCounts> counts;
  for (const GoProfileLook& seen : recording.go_profiles) {
    if (seen.kind != GoProfileKind::kHeap || seen.process != look.process) continue;
    if (seen.time_ns > look.time_ns) break;
    profile.emplace().rate = seen.rate;
    for (const GoBucketRow& row : seen.rows)
      counts[row.bucket] = {row.values[0], row.values[1], row.values[2], row.values[3]};
  }
  for (const auto& [index, sampled] : counts) {
    const GoBucket& bucket = recording.go_buckets[index];
    HeapSite site;
    site.object_bytes = bucket.object_bytes;
    site.sampled = sampled;
    site.calls = calls_of(recording, bucket.stack);
    profile->sites.push_back(std::move(site));
  }
  if (profile) estimate_heap(*profile);
  return profile;
}

}  // namespace

GoLook recorded_look(const GoroutineReport& report, ProcessSlot process, GoFrames& frames, GoStacks& stacks) {
  GoLook look;
  look.time_ns = report.time_monotonic_ns;
  look.duration_ns = report.look_ns;
  look.time_unix_ns = report.time_unix_ns;
  look.process = process;
  look.version = report.go_version;
  look.module = report.module;
  look.note = report.note;
  look.figures = report.figures;
  look.no_heap = report.no_heap;
  look.collector = report.collector;
  if (report.stuck) look.stuck = recorded_stuck(*report.stuck);
  for (const GoroutineGroup& from : report.groups) {
    GoGroup& group = look.groups.emplace_back();
    group.count = from.count;
    group.state = from.state;
    group.stack_state = from.stack_state;
    group.waits = from.waits;
    group.stuck = from.stuck;
    group.of_runtime = from.of_runtime;
    group.without_time = from.without_time;
    group.longest_wait_ns = from.longest_wait_ns;
    group.shortest_wait_ns = from.shortest_wait_ns;
    group.stack = stacks.stack(frames, from.pcs, from.calls);
    if (from.creator_pc) group.creator = stacks.call(frames, from.creator_pc, from.creator);
    group.examples = from.examples;
    group.labels = from.labels;
  }
  return look;
}

GoProfileLook RecordedProfiles::heap(const HeapProfile& profile, std::uint64_t time_ns, ProcessSlot process,
                                     GoFrames& frames, GoStacks& stacks) {
  GoProfileLook look{time_ns, process, GoProfileKind::kHeap, profile.rate, 0, {}};
  for (const HeapSite& site : profile.sites) {
    auto [known, fresh] = known_.try_emplace({process, site.bucket});
    if (fresh) {
      known->second.index = static_cast<std::uint32_t>(buckets_.size());
      std::span<const std::uint64_t> pcs =
          std::span(site.pcs).last(std::min(site.calls.size(), site.pcs.size()));
      buckets_.push_back(
          {process, GoProfileKind::kHeap, site.object_bytes, stacks.profile_stack(frames, pcs, site.calls)});
    }
    std::array<std::int64_t, 4> values = values_of(site.sampled);
    if (!fresh && values == known->second.values) continue;
    known->second.values = values;
    look.rows.push_back({known->second.index, values});
  }
  return look;
}

void RecordedProfiles::forget(ProcessSlot process) {
  absl::erase_if(known_, [&](const auto& known) { return known.first.first == process; });
}

GoroutineReport report_of(const Recording& recording, const GoLook& look) {
  const ProcessInfo& process = recording.processes[look.process];
  GoroutineReport report;
  report.pid = static_cast<std::int32_t>(process.pid);
  report.program = process.name;
  report.command_line = process.command_line;
  report.go_version = look.version;
  report.module = look.module;
  report.note = look.note;
  report.time_unix_ns = look.time_unix_ns;
  report.time_monotonic_ns = look.time_ns;
  report.look_ns = look.duration_ns;
  report.figures = look.figures;
  report.heap = heap_of(recording, look);
  report.no_heap = look.no_heap;
  report.collector = look.collector;
  if (look.stuck) report.stuck = stuck_of(*look.stuck);
  for (const GoGroup& group : look.groups) report.groups.push_back(group_of(recording, group));
  return report;
}

}  // namespace dwell
