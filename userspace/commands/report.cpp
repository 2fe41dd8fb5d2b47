// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "ui/memory_json.h"
#include "ui/memory_text.h"
#include "ui/text_style.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/recording/reader.h"

namespace dwell {

Result<Exit> run(const ReportCommand& command) {
  Result<Recording> recording = read_recording(command.path);
  if (!recording) return recording.error();
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
