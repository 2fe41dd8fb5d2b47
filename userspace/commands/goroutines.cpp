// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/goroutines.h"

#include <unistd.h>

#include "ui/goroutines_json.h"
#include "ui/goroutines_text.h"
#include "userspace/commands/output.h"
#include "userspace/threads/descriptors.h"

namespace dwell {
namespace {

struct Wanted {
  bool prove = false, heap = false, timers = false;
};

Result<GoroutineReport> look(pid_t pid, const Wanted& wanted) {
  Result<GoRuntime> runtime = GoRuntime::attach(pid);
  if (!runtime) return runtime.error();
  std::optional<StuckFinding> stuck;
  if (wanted.prove) {
    Result<StuckFinding> found = find_stuck(*runtime, {.what_is_unheld = wanted.timers});
    if (!found)
      return Error{found.error().what, "without --prove the goroutines are shown all the same",
                   found.error().exit};
    stuck = std::move(*found);
  }
  Result<GoroutineReport> report = look_at_goroutines(*runtime, std::move(stuck));
  if (!report) return report.error();
  if (wanted.heap) add_heap(*runtime, *report);
  if (wanted.timers) {
    Result<TimerReport> timers =
        look_at_timers(*runtime, report->stuck ? &report->stuck->useless_timers : nullptr);
    if (!timers) return timers.error();
    report->timers = std::move(*timers);
  }
  Descriptors descriptors(pid);
  for (GoroutineGroup& group : report->groups) {
    for (GoroutineExample& example : group.examples) {
      if (example.wait.descriptor)
        example.wait.descriptor->words = descriptors.describe(example.wait.descriptor->fd);
    }
  }
  return report;
}

}  // namespace

Result<Exit> show_goroutines(const ThreadsCommand& command) {
  Result<GoroutineReport> report = look(command.options.pid, {command.prove, command.heap, command.timers});
  if (!report) return report.error();
  GoroutinesTextOptions options{
      .style = text_style_of(STDOUT_FILENO), .stacks = command.groups, .runtime = command.runtime};
  std::string content = command.json ? goroutines_json(*report) : goroutines_text(*report, options);
  if (Result<void> written = write_output("", content); !written) return written.error();
  bool found =
      report->stuck && (!report->stuck->goroutines.empty() || !report->stuck->useless_timers.empty());
  return found ? Exit::kFound : Exit::kOk;
}

std::string goroutines_of(pid_t pid) {
  Result<GoroutineReport> report = look(pid, {});
  if (!report) return "";
  constexpr std::size_t kStacks = 5;
  return "\n" + goroutines_text(*report, {.style = text_style_of(STDOUT_FILENO), .stacks = kStacks});
}

}  // namespace dwell
