// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "userspace/clocks/json.h"
#include "userspace/clocks/text.h"
#include "ui/escape.h"
#include "ui/text_style.h"
#include "userspace/clocks/looker.h"
#include "userspace/clocks/profile.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/kernel/bpf_log.h"
#include "userspace/process/find_process.h"
#include "userspace/worker/parser.h"

namespace dwell {

namespace {

Result<std::string> content_of(const ClocksCommand& command, const ClocksReport& report) {
  if (command.json || command.format == "json") return clocks_json(report);
  bool text = command.format == "text" || (command.format.empty() && !export_format_of_file(command.output));
  if (text)
    return clocks_text(report, {.style = command.output.empty() ? text_style_of(STDOUT_FILENO) : TextStyle{},
                                .sites = command.sites,
                                .stacks = command.stacks});
  Result<ExportFormat> format = choose_format(command.format, command.output);
  if (!format) return format.error();
  ExportOptions how;
  how.sample_type = command.sample_type;
  return export_profile(clocks_profile(report), *format, how);
}

}  // namespace

Result<Exit> run(const ClocksCommand& command) {
  if (command.verbose) listen_to_libbpf(true);
  if (Result<void> started = start_parser(); !started) return started.error();
  Result<pid_t> pid = find_process(command.target);
  if (!pid) return pid.error();
  ClocksOptions options = command.options;
  options.pid = *pid;
  Result<ClocksReport> report = look_at_clocks(options, [](const std::string& message) {
    fmt::print(stderr, "{}; Ctrl-C ends it\n", printable(message));
  });
  if (!report) return report.error();
  Result<std::string> content = content_of(command, *report);
  if (!content) return content.error();
  if (Result<void> written = write_output(command.output, *content); !written) return written.error();
  return Exit::kOk;
}

}  // namespace dwell
