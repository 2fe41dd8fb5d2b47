// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/goroutines.h"

#include <unistd.h>

#include "userspace/go/goroutines/json.h"
#include "userspace/go/goroutines/text.h"
#include "userspace/commands/output.h"
#include "userspace/go/record/snapshot.h"

namespace dwell {

Result<Exit> show_goroutines(const ThreadsCommand& command, pid_t pid) {
  ReplacedFile replaced(command.options.output);
  Result<GoroutineReport> report =
      take_go_snapshot({pid, command.prove, command.heap, command.timers, command.contexts,
                        command.options.output, command.options.command_line});
  if (!report) return report.error();
  replaced.tell();
  GoroutinesTextOptions options{
      .style = text_style_of(STDOUT_FILENO), .stacks = command.groups, .runtime = command.runtime};
  std::string content = command.json ? goroutines_json(*report) : goroutines_text(*report, options);
  if (Result<void> written = write_output("", content); !written) return written.error();
  // Timers that are useless end by themselves; any server with timeouts has some.
  bool found = (report->stuck && !report->stuck->goroutines.empty()) ||
               (report->timers && report->timers->useless_tickers > 0) ||
               (report->contexts && report->contexts->lost > 0);
  return found ? Exit::kFound : Exit::kOk;
}

std::string goroutines_of(pid_t pid) {
  Result<GoroutineReport> report = take_go_snapshot({pid, false, false, false, false, "", ""});
  if (!report) return "";
  constexpr std::size_t kStacks = 5;
  return "\n" + goroutines_text(*report, {.style = text_style_of(STDOUT_FILENO), .stacks = kStacks});
}

}  // namespace dwell
