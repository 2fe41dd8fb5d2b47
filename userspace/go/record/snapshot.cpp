// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/record/snapshot.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/base/memory_limit.h"
#include "userspace/go/findings/findings.h"
#include "userspace/go/record/recorded_look.h"
#include "userspace/process/process.h"
#include "userspace/record/look_file.h"
#include "userspace/record/modules.h"
#include "userspace/process/descriptors.h"

namespace dwell {
namespace {

constexpr int kLooksInPassing = 2;
constexpr std::uint64_t kPartToCopy = 4;  // a quarter of what dwell may take is for copies of the heap

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

// The proof, and with it the contexts. None: neither was asked for, or it could not be done and `not_seen` says why.
Result<std::optional<StuckFinding>> look_for_stuck(const GoRuntime& runtime, const GoSnapshotOptions& options,
                                                   std::vector<std::string>& not_seen) {
  if (!options.prove && !options.contexts && !options.findings) return std::optional<StuckFinding>();
  // Who waits for a lost context is told with or without --contexts.
  StuckOptions looks = {.what_is_unheld = true};
  if (!options.prove) looks.looks = looks.most_looks = options.findings ? kLooksInPassing : 1;
  if (!options.insist) looks.copy_limit = std::min(looks.copy_limit, memory_limit() / kPartToCopy);
  Result<StuckFinding> found = find_stuck(runtime, looks);
  if (found) return std::optional(std::move(*found));
  if (options.insist)
    return Error{found.error().what,
                 fmt::format("without {} the goroutines are shown all the same", options.prove ? "--prove" : "--contexts"),
                 found.error().exit};
  not_seen.push_back(found.error().what);
  return std::optional<StuckFinding>();
}

// The rest was looked at for the findings.
void keep_what_was_asked_for(const GoSnapshotOptions& options, GoroutineReport& report) {
  if (!options.timers) report.timers.reset();
  if (!options.contexts) report.contexts.reset();
  if (options.heap) return;
  report.heap.reset();
  report.no_heap.clear();
  report.contention.clear();
  report.collector.reset();
}

// Takes over what was found, or the reason why nothing was.
template <typename T>
Result<void> take(Result<T>&& found, bool insist, std::optional<T>& to, GoroutineReport& report) {
  if (found) {
    to = std::move(*found);
  } else if (insist) {
    return found.error();
  } else {
    report.not_seen.push_back(found.error().what);
  }
  return {};
}

}  // namespace

Result<GoroutineReport> take_go_snapshot(const GoSnapshotOptions& options) {
  Result<GoRuntime> runtime = GoRuntime::attach(options.pid);
  if (!runtime) return runtime.error();
  std::vector<std::string> not_seen;
  Result<std::optional<StuckFinding>> found = look_for_stuck(*runtime, options, not_seen);
  if (!found) return found.error();
  std::vector<GoContext> contexts;
  bool has_contexts = found->has_value();
  if (has_contexts) contexts = (*found)->contexts;
  bool proves = options.prove || options.findings;
  Result<GoroutineReport> report = look_at_goroutines(*runtime, proves ? std::move(*found) : std::nullopt);
  if (!report) return report;
  report->not_seen = std::move(not_seen);
  if (options.heap || options.findings) add_heap(*runtime, *report);
  Result<void> taken;
  if (options.timers || options.findings)
    taken = take(look_at_timers(*runtime, report->stuck ? &report->stuck->useless_timers : nullptr), options.insist,
                 report->timers, *report);
  if (taken && (options.contexts || options.findings) && has_contexts)
    taken = take(report_contexts(*runtime, contexts, proves), options.insist, report->contexts, *report);
  if (!taken) return taken.error();
  if (options.heap && report->stuck) {
    report->holders = holder_rows(*runtime, report->stuck->holders);
    report->reached_bytes = report->stuck->reached_bytes;
  }
  if (options.findings) {
    add_findings(*runtime, *report, FindingsOf::kLook);
    keep_what_was_asked_for(options, *report);
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
