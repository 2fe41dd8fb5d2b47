// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/snapshot.h"

#include <fmt/core.h>

#include "userspace/go/record/recorded_look.h"
#include "userspace/process/process.h"
#include "userspace/record/look_file.h"
#include "userspace/record/modules.h"
#include "userspace/process/descriptors.h"

namespace dwell {
namespace {

Result<void> write_look(const GoroutineReport& report, const GoRuntime& runtime, RecordingWriter& writer) {
  Result<std::vector<Mapping>> mappings = read_maps(report.pid);
  if (!mappings) return mappings.error();
  ModuleTable modules(writer);
  GoStacks stacks(writer);
  stacks.map(modules.code_of(report.pid, *mappings));
  RecordedProfiles profiles;
  Result<void> written = write_go_report(report, 0, runtime.frames(), stacks, profiles, writer);
  if (written)
    written = writer.finish({report.time_monotonic_ns + report.look_ns, "one look at its goroutines"});
  return written;
}

Result<void> keep(const GoroutineReport& report, const GoRuntime& runtime, const GoSnapshotOptions& options) {
  Result<ProcessFacts> target = read_process(options.pid);
  if (!target) return target.error();
  Result<LookFile> file = LookFile::create("goroutines", options.command_line, *target);
  if (!file) return file.error();
  if (Result<void> written = write_look(report, runtime, file->writer()); !written) return written;
  return file->keep(options.output);
}

}  // namespace

Result<GoroutineReport> take_go_snapshot(const GoSnapshotOptions& options) {
  Result<GoRuntime> runtime = GoRuntime::attach(options.pid);
  if (!runtime) return runtime.error();
  std::optional<StuckFinding> stuck;
  std::vector<GoContext> contexts;
  if (options.prove || options.contexts) {
    // Who waits for a lost context is told with or without --contexts.
    StuckOptions looks = {.what_is_unheld = true};
    if (!options.prove) looks.looks = looks.most_looks = 1;
    Result<StuckFinding> found = find_stuck(*runtime, looks);
    if (!found)
      return Error{found.error().what,
                   fmt::format("without {} the goroutines are shown all the same",
                               options.prove ? "--prove" : "--contexts"),
                   found.error().exit};
    contexts = std::move(found->contexts);
    if (options.prove) stuck = std::move(*found);
  }
  Result<GoroutineReport> report = look_at_goroutines(*runtime, std::move(stuck));
  if (!report) return report.error();
  if (options.heap) add_heap(*runtime, *report);
  if (options.timers) {
    Result<TimerReport> timers =
        look_at_timers(*runtime, report->stuck ? &report->stuck->useless_timers : nullptr);
    if (!timers) return timers.error();
    report->timers = std::move(*timers);
  }
  if (options.contexts) {
    Result<ContextReport> found = report_contexts(*runtime, contexts, options.prove);
    if (!found) return found.error();
    report->contexts = std::move(*found);
  }
  describe_descriptors(options.pid, *report);
  if (options.output.empty()) return report;
  Result<void> kept = keep(*report, *runtime, options);
  return kept ? std::move(report) : kept.error();
}

void describe_descriptors(pid_t pid, GoroutineReport& report) {
  Descriptors descriptors(pid);
  for (GoroutineGroup& group : report.groups) {
    for (GoroutineExample& example : group.examples) {
      if (example.wait.descriptor)
        example.wait.descriptor->words = descriptors.describe(example.wait.descriptor->fd);
    }
  }
}

}  // namespace dwell
