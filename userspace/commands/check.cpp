// SPDX-License-Identifier: Apache-2.0
// `dwell PID`, in full `dwell check PROCESS`: one snapshot of everything that can be seen without a probe.
#include <fmt/core.h>
#include <unistd.h>

#include "userspace/base/clock.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/commands/overview.h"
#include "userspace/process/find_process.h"
#include "userspace/subjects/subjects.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

Result<Overview> look_at_everything(pid_t pid, const std::string& command_line) {
  std::uint64_t began_ns = monotonic_ns();
  Result<ProcessFacts> process = read_process(pid);
  if (!process) return process.error();
  Overview overview;
  overview.process = *process;
  overview.running_ns = process_age_ns(pid);
  overview.children = children_of(pid);
  LookRequest request;
  request.pid = pid;
  request.command_line = command_line;
  request.peers = &peers();
  for (const Subject& subject : subjects()) {
    if (!subject.look.findings) continue;
    std::optional<Findings> found = subject.look.findings(request);
    if (found) overview.subjects.push_back({std::string(subject.name), std::move(*found)});
  }
  if (process_has_ended(pid)) return Error{fmt::format("look at PID {}: it ended meanwhile", pid), "", Exit::kNoTarget};
  overview.took_ns = monotonic_ns() - began_ns;
  return overview;
}

}  // namespace

Result<Exit> run(const CheckCommand& command) {
  if (Result<void> started = start_parser(); !started) return started.error();
  Result<pid_t> pid = find_process(command.target);
  if (!pid) return pid.error();
  Result<Overview> overview = look_at_everything(*pid, command.command_line);
  if (!overview) return overview.error();
  std::string content = command.json ? json_text(overview_json(*overview)) : overview_text(*overview, text_style_of(STDOUT_FILENO));
  if (Result<void> written = write_output("", content); !written) return written.error();
  return overview->proved() ? Exit::kFound : Exit::kOk;
}

}  // namespace dwell
