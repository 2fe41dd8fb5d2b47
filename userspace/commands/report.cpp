// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "ui/memory_json.h"
#include "ui/memory_text.h"
#include "ui/text_style.h"
#include "ui/threads_text.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/recording/reader.h"

namespace dwell {
namespace {

Result<Exit> report_threads(const ReportCommand& command, const Recording& recording) {
  Result<ThreadReport> report = thread_report(recording);
  if (!report) return report.error();
  std::string content = command.json ? threads_json(*report)
                                     : threads_text(*report, {.style = text_style_of(STDOUT_FILENO),
                                                              .groups = command.sites});
  if (Result<void> written = write_output("", content); !written) return written.error();
  return Exit::kOk;
}

}  // namespace

Result<Exit> run(const ReportCommand& command) {
  Result<Recording> recording = read_recording(command.path);
  if (!recording) return recording.error();
  if (recording->only_looks()) return report_threads(command, *recording);
  Result<MemoryReport> report = memory_report(*recording, command.filter, command.sort, command.group);
  if (!report) return report.error();
  std::string content = command.json ? memory_json(*report)
                                     : memory_text(*report, {.style = text_style_of(STDOUT_FILENO),
                                                             .sites = command.sites,
                                                             .stacks = command.stacks});
  if (Result<void> written = write_output("", content); !written) return written.error();
  return Exit::kOk;
}

}  // namespace dwell
