// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/recorded_look.h"
#include "userspace/go/codec.h"

#include <algorithm>
#include <map>

namespace dwell {
namespace {

GoStuck recorded_stuck(const StuckFinding& found) {
  GoStuck stuck{{found.goroutines.begin(), found.goroutines.end()},
                found.proved,
                found.reservation,
                found.looks,
                found.candidates,
                found.copied_bytes,
                found.took_ns,
                {found.abandoned.begin(), found.abandoned.end()},
                found.not_judged};
  std::sort(stuck.goroutines.begin(), stuck.goroutines.end());
  std::sort(stuck.abandoned.begin(), stuck.abandoned.end());
  return stuck;
}

std::array<std::int64_t, 4> values_of(const HeapCounts& counts) {
  return {counts.in_use_objects, counts.in_use_bytes, counts.allocated_objects, counts.allocated_bytes};
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
    group.abandoned = from.abandoned;
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

template <typename Describe>
void RecordedProfiles::tell(ProcessSlot process, std::uint64_t address, GoBucketRow row, GoProfileLook& look,
                            Describe describe) {
  auto [known, fresh] = known_.try_emplace({process, address});
  if (fresh) {
    known->second.row.bucket = static_cast<std::uint32_t>(buckets_.size());
    buckets_.push_back(describe());
  }
  row.bucket = known->second.row.bucket;
  if (!fresh && row == known->second.row) return;
  known->second.row = row;
  look.rows.push_back(row);
}

GoProfileLook RecordedProfiles::begin(GoProfileKind kind, std::uint64_t time_ns, ProcessSlot process) {
  GoProfileLook look{time_ns, process, kind, 0, 0, {}};
  for (std::uint32_t index : std::exchange(gone_[{process, kind}], {})) look.rows.push_back({index, {}, {}});
  return look;
}

GoProfileLook RecordedProfiles::heap(const HeapProfile& profile, std::uint64_t time_ns, ProcessSlot process,
                                     GoFrames& frames, GoStacks& stacks) {
  GoProfileLook look = begin(GoProfileKind::kHeap, time_ns, process);
  look.rate = profile.rate;
  for (const HeapSite& site : profile.sites) {
    GoBucketRow row{0, values_of(site.sampled), {site.pending_objects, site.pending_bytes}};
    tell(process, site.bucket, row, look, [&] {
      std::span<const std::uint64_t> pcs =
          std::span(site.pcs).last(std::min(site.calls.size(), site.pcs.size()));
      return GoBucket{process, look.kind, site.object_bytes, stacks.profile_stack(frames, pcs, site.calls)};
    });
  }
  return look;
}

GoProfileLook RecordedProfiles::contention(const ContentionProfile& profile, std::uint64_t time_ns,
                                           ProcessSlot process, GoFrames& frames, GoStacks& stacks) {
  GoProfileLook look = begin(profile.kind, time_ns, process);
  look.rate = static_cast<std::uint64_t>(profile.scale);
  look.ticks_per_second = profile.ticks_per_second;
  for (const ContentionSite& site : profile.sites)
    tell(process, site.bucket, {0, {site.contentions, site.ticks, 0, 0}, {}}, look, [&] {
      return GoBucket{process, look.kind, 0, stacks.profile_stack(frames, site.pcs, site.calls)};
    });
  return look;
}

void RecordedProfiles::forget(ProcessSlot process) {
  for (const auto& [key, known] : known_)
    if (key.first == process) gone_[{process, buckets_[known.row.bucket].kind}].push_back(known.row.bucket);
  for (auto& [key, indices] : gone_) std::sort(indices.begin(), indices.end());
  absl::erase_if(known_, [&](const auto& known) { return known.first.first == process; });
}

Result<void> write_go_report(const GoroutineReport& report, ProcessSlot process, GoFrames& frames,
                             GoStacks& stacks, RecordedProfiles& profiles, RecordingWriter& writer) {
  GoLook look = recorded_look(report, process, frames, stacks);
  Result<void> written;
  // What is counted is told before its counters, and known when they have been gathered.
  auto write = [&](const GoProfileLook& profile) {
    if (written) written = write_go_profile(writer, profile, profiles.buckets());
  };
  if (report.heap) write(profiles.heap(*report.heap, look.time_ns, process, frames, stacks));
  for (const ContentionProfile& profile : report.contention)
    write(profiles.contention(profile, look.time_ns, process, frames, stacks));
  if (written) written = write_go_look(writer, look);
  if (written && (report.timers || report.contexts || !report.findings.empty() || !report.not_seen.empty() || !report.holders.empty()))
    written = write_go_held(writer, {look.time_ns, process, report.timers, report.contexts, report.findings, report.not_seen, report.holders, report.reached_bytes});
  return written ? stacks.write_names() : written;
}

}  // namespace dwell
