// SPDX-License-Identifier: Apache-2.0
#include "userspace/record/targets.h"

#include <fmt/core.h>

#include <optional>

namespace dwell {

Result<Targets> read_targets(const RecordOptions& options) {
  std::vector<pid_t> pids = options.pids;
  if (options.group)
    for (pid_t pid : options.group->members())
      if (std::ranges::find(pids, pid) == pids.end()) pids.push_back(pid);
  Targets targets;
  std::optional<Error> first;
  for (pid_t pid : pids) {
    Result<ProcessFacts> facts = read_process(pid);
    // Its probes need another way to attach, by which nobody else would be recorded as well.
    if (facts && facts->main_thread_ended && pids.size() > 1)
      facts = Error{fmt::format("trace PID {}: its main thread has ended", pid), fmt::format("record it alone: dwell record {}", pid), Exit::kUnsupported};
    if (facts) {
      targets.found.push_back(std::move(*facts));
      continue;
    }
    if (!first) first = facts.error();
    if (is_missed(options, pid, facts.error())) targets.missed.push_back({pid, facts.error().what});
  }
  if (!targets.found.empty()) return targets;
  if (first) return *first;
  return Error{fmt::format("record {}: no process is in it", options.group ? options.group->name : "nothing"), "", Exit::kNoTarget};
}

}  // namespace dwell
