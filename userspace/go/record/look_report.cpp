// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/look_report.h"

#include "userspace/go/record/report.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

GoroutineGroup group_of(const Recording& recording, const GoGroup& from) {
  GoroutineGroup group;
  group.state = from.state;
  group.stack_state = from.stack_state;
  group.waits = from.waits;
  group.stuck = from.stuck;
  group.abandoned = from.abandoned;
  group.of_runtime = from.of_runtime;
  group.count = from.count;
  group.without_time = from.without_time;
  group.longest_wait_ns = from.longest_wait_ns;
  group.shortest_wait_ns = from.shortest_wait_ns;
  group.calls = recorded_calls(recording, from.stack);
  if (std::vector<GoCall> creator = recorded_calls(recording, from.creator); !creator.empty())
    group.creator = creator[0];
  group.labels = from.labels;
  group.examples = from.examples;
  return group;
}

StuckFinding stuck_of(const GoStuck& from) {
  StuckFinding stuck;
  stuck.goroutines.insert(from.goroutines.begin(), from.goroutines.end());
  stuck.abandoned.insert(from.abandoned.begin(), from.abandoned.end());
  stuck.not_judged = from.not_judged;
  stuck.proved = from.proved;
  stuck.reservation = from.reservation;
  stuck.looks = from.looks;
  stuck.candidates = from.candidates;
  stuck.copied_bytes = from.copied_bytes;
  stuck.took_ns = from.took_ns;
  return stuck;
}

std::optional<HeapProfile> heap_of(const Recording& recording, const GoLook& look) {
  GoCounters counters = counters_at(recording, GoProfileKind::kHeap, look.process, look.time_ns);
  if (!counters.last) return std::nullopt;
  HeapProfile profile;
  profile.rate = counters.last->rate;
  for (const auto& [index, row] : counters.rows) {
    const GoBucket& bucket = go_of(recording).buckets[index];
    HeapSite site;
    site.object_bytes = bucket.object_bytes;
    site.sampled = {row.values[0], row.values[1], row.values[2], row.values[3]};
    site.calls = recorded_calls(recording, bucket.stack);
    profile.sites.push_back(std::move(site));
  }
  estimate_heap(profile);
  return profile;
}

std::vector<ContentionProfile> contention_of(const Recording& recording, const GoLook& look) {
  std::vector<ContentionProfile> profiles;
  for (GoProfileKind kind : {GoProfileKind::kMutex, GoProfileKind::kBlock}) {
    GoCounters counters = counters_at(recording, kind, look.process, look.time_ns);
    if (!counters.last) continue;
    ContentionProfile& profile = profiles.emplace_back();
    profile.kind = kind;
    profile.ticks_per_second = counters.last->ticks_per_second;
    profile.scale = static_cast<std::int64_t>(counters.last->rate);
    for (const auto& [index, row] : counters.rows) {
      ContentionSite& site = profile.sites.emplace_back();
      site.contentions = row.values[0];
      site.ticks = row.values[1];
      site.calls = recorded_calls(recording, go_of(recording).buckets[index].stack);
    }
    sort_contention(profile);
  }
  return profiles;
}

}  // namespace

const GoHeld* held_at(const Recording& recording, const GoLook& look) {
  for (const GoHeld& held : go_of(recording).held)
    if (held.time_ns == look.time_ns && held.process == look.process) return &held;
  return nullptr;
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
  report.contention = contention_of(recording, look);
  report.collector = look.collector;
  if (look.stuck) report.stuck = stuck_of(*look.stuck);
  if (const GoHeld* held = held_at(recording, look)) {
    report.timers = held->timers;
    report.contexts = held->contexts;
    report.findings = held->findings;
    report.not_seen = held->not_seen;
    report.holders = held->holders;
    report.reached_bytes = held->reached_bytes;
  }
  for (const GoGroup& group : look.groups) report.groups.push_back(group_of(recording, group));
  return report;
}

}  // namespace dwell
