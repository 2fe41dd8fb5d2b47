// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "ui/text_style.h"
#include "userspace/threads/text.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/goroutines.h"
#include "userspace/commands/output.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/process/find_process.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/subjects.h"
#include "userspace/threads/snapshot.h"
#include "userspace/threads/lock_blocks.h"
#include "userspace/worker/parser.h"

namespace dwell {
namespace {

Result<void> tell_lock_blocks(const std::string& path, ThreadReport& report) {
  Result<Recording> memory = read_recording(path);
  if (!memory) return memory.error();
  if (Result<void> can = can_tell_lock_blocks(*memory, *peers().block_sites, report); !can) return can;
  find_lock_blocks(*memory, *peers().block_sites, report);
  return {};
}

}  // namespace

Result<Exit> run(const ThreadsCommand& command) {
  if (command.verbose) listen_to_libbpf(true);
  if (Result<void> started = start_parser(); !started) return started.error();
  Result<pid_t> pid = find_process(command.target);
  if (!pid) return pid.error();
  if (command.goroutines) return show_goroutines(command, *pid);
  ReplacedFile replaced(command.options.output);
  SnapshotOptions options = command.options;
  options.pid = *pid;
  options.runtimes = peers().runtimes;
  Result<Recording> recording = take_snapshot(options);
  if (!recording) return recording.error();
  replaced.tell();
  Result<ThreadReport> report = thread_report(*recording, command.verdicts);
  if (!report) return report.error();
  if (!command.with.empty())
    if (Result<void> told = tell_lock_blocks(command.with, *report); !told) return told.error();
  std::string content =
      command.json ? threads_json(*report)
                   : threads_text(*report, {.style = text_style_of(STDOUT_FILENO), .groups = command.groups});
  if (!command.json) content += goroutines_of(*pid);
  if (Result<void> written = write_output("", content); !written) return written.error();
  return report->stuck_for_good() ? Exit::kFound : Exit::kOk;
}

}  // namespace dwell
