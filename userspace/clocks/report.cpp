// SPDX-License-Identifier: Apache-2.0
#include "userspace/clocks/report.h"

#include <algorithm>
#include <cmath>

#include "bpf/clocks.h"
#include "userspace/clocks/names.h"
#include "userspace/clocks/verdicts.h"
#include "userspace/views/frames.h"
#include "userspace/clocks/part.h"

namespace dwell {
namespace {

ClockReadSite read_site(const ClockReadFacts& facts, NamedStack stack) {
  ClockReadSite site;
  site.call = clock_call_name(facts.call);
  site.clock = clock_name(facts.clock);
  site.stack = std::move(stack.frames);
  site.incomplete = std::move(stack.incomplete);
  site.counted = facts.counted;
  site.per_second = facts.per_second;
  site.error = facts.error;
  site.cpu_percent = facts.cpu_percent;
  site.sampled = facts.sampled;
  site.wall = is_wall_clock(facts.clock);
  site.coarse = is_coarse_clock(facts.clock) || facts.call == DWELL_CALL_TIME;
  return site;
}

ClockWaitSite wait_site(const ClockWaitFacts& facts, NamedStack stack) {
  ClockWaitSite site;
  site.call = clock_call_name(facts.call);
  site.clock = clock_name(facts.clock);
  site.kind = name_of(kind_of_call(facts.call));
  site.absolute = facts.absolute;
  site.wall = is_wall_clock(facts.clock);
  site.stack = std::move(stack.frames);
  site.incomplete = std::move(stack.incomplete);
  site.count = facts.count;
  site.timed_out = facts.timed_out;
  site.spanned_step = facts.spanned_step;
  site.asked_ns = facts.asked_ns;
  site.got_ns = facts.got_ns;
  site.over_ns = facts.over_ns;
  site.max_over_ns = facts.max_over_ns;
  site.max_over_asked_ns = facts.max_over_asked_ns;
  site.max_over_tid = facts.max_over_tid;
  site.max_over_thread = facts.max_over_thread;
  site.over = facts.over;
  site.under_way = facts.under_way;
  site.under_way_over_ns = facts.under_way_over_ns;
  return site;
}

ClockInterval interval(const ClockIntervalFacts& facts, const StackNamer& name) {
  return {name(facts.first).frames, name(facts.second).frames, facts.count,  facts.total_ns, facts.max_ns,
          facts.spanned_step,       facts.spanned_by_ns,       facts.lengths};
}

ClockStep step(const ClockStepFacts& facts, std::uint64_t start_ns, const StackNamer& name) {
  ClockStep result;
  result.kind = facts.kind;
  result.time_ns = facts.time_ns > start_ns ? facts.time_ns - start_ns : 0;
  result.size_ns = facts.size_ns;
  result.what = facts.what;
  result.pid = facts.pid;
  result.uid = facts.uid;
  result.command = facts.command;
  result.container = facts.container;
  result.result = facts.result;
  if (facts.stack != StackId::kUnknown) result.stack = name(facts.stack).frames;
  return result;
}

}  // namespace

void set_cost_percent(ClocksReport& report, double target_ns) {
  double programs = static_cast<double>(report.bpf_ns.value_or(0));
  report.cost_percent = 100 * (report.trap_ns + programs) / target_ns;
}

ClocksReport clocks_report(const ClockLook& look, const StackNamer& name) {
  ClocksReport report;
  report.seconds = static_cast<double>(look.duration_ns) / 1e9;
  report.watched_share =
      look.duration_ns ? static_cast<double>(look.watched_ns) / static_cast<double>(look.duration_ns) : 0;
  report.windows = look.windows;
  report.probe_hits = look.probe_hits;
  report.trap_ns = static_cast<double>(look.trap_ns);
  report.bpf_ns = known_time(look.bpf_ns);
  report.samples = look.samples;
  report.samples_in_vdso = look.samples_in_vdso;
  report.kernel = look.kernel;
  report.notes = look.notes;
  double squares = 0;
  for (const ClockReadFacts& facts : look.reads) {
    report.reads.push_back(read_site(facts, name(facts.stack)));
    report.reads_per_second += facts.per_second;
    squares += facts.error * facts.error;
  }
  report.reads_error = std::sqrt(squares);
  for (const ClockWaitFacts& facts : look.waits) report.waits.push_back(wait_site(facts, name(facts.stack)));
  for (const ClockIntervalFacts& facts : look.intervals) report.intervals.push_back(interval(facts, name));
  for (const ClockStepFacts& facts : look.steps) report.steps.push_back(step(facts, look.time_ns, name));
  std::stable_sort(
      report.reads.begin(), report.reads.end(),
      [](const ClockReadSite& a, const ClockReadSite& b) { return a.per_second > b.per_second; });
  std::stable_sort(report.waits.begin(), report.waits.end(),
                   [](const ClockWaitSite& a, const ClockWaitSite& b) {
                     return a.count + a.under_way > b.count + b.under_way;
                   });
  std::stable_sort(report.intervals.begin(), report.intervals.end(),
                   [](const ClockInterval& a, const ClockInterval& b) { return a.count > b.count; });
  return report;
}

Result<ClocksReport> clocks_report(const Recording& recording) {
  if (!clocks_of(recording).look)
    return Error{"report clocks: this recording holds nothing of them",
                 "record with --clocks, or look: dwell clocks PID", Exit::kUsage};
  FrameTexts texts(recording);
  ClocksReport report = clocks_report(*clocks_of(recording).look, [&](StackId id) {
    NamedStack stack;
    const CallStack& from = recording.stacks[static_cast<std::size_t>(id)];
    for (std::uint32_t location : from.locations)
      for (ReportFrame& frame : texts.frames(location)) stack.frames.push_back(std::move(frame));
    if (!from.locations.empty()) stack.incomplete = incomplete_because(from.end);
    return stack;
  });
  if (!recording.processes.empty()) {
    report.program = recording.processes[0].name;
    report.pid = recording.processes[0].pid;
  }
  if (!recording.costs.empty()) {
    const CostSample& cost = recording.costs.back();
    report.own_cpu_ns = cost.dwell_cpu_ns;
    if (cost.target_cpu_ns) set_cost_percent(report, static_cast<double>(cost.target_cpu_ns));
  }
  report.verdicts = judge_clocks(report);
  return report;
}

}  // namespace dwell
