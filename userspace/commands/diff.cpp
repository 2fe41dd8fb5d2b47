// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "userspace/go/record/report_text.h"
#include "userspace/memory/json.h"
#include "userspace/memory/text.h"
#include "ui/text_style.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/commands/sandbox.h"
#include "userspace/subjects/chunks.h"

namespace dwell {
namespace {

Result<void> write_table(const DiffCommand& command, const Recording& before, const Recording& after) {
  Result<MemoryDiff> diff = memory_diff(before, after, command.filter);
  if (!diff) return diff.error();
  std::optional<GoDiff> of_go = go_diff(before, after);
  if (command.format == "json") {
    Json more = Json::object();
    if (of_go) more["go"] = go_diff_json(*of_go);
    return write_output(command.output, [&](const TextSink& sink) { write_memory_diff_json(*diff, more, sink); });
  }
  TextStyle style = command.output.empty() ? text_style_of(STDOUT_FILENO) : TextStyle{};
  std::string first = of_go ? go_diff_text(*of_go, {.style = style, .sites = command.sites}) : "";
  return write_output(command.output, memory_diff_text(*diff, {.style = style, .sites = command.sites, .first = first}));
}

Result<void> write_profile(const DiffCommand& command, const Recording& before, const Recording& after) {
  Result<ExportFormat> format = choose_format(command.format, command.output);
  if (!format) return format.error();
  Result<Profile> profile = memory_diff_profile(before, after, command.view, command.filter);
  if (!profile) return profile.error();
  ExportOptions how;
  how.difference = true;
  Result<std::string> content = export_profile(*profile, *format, how);
  return content ? write_output(command.output, *content) : content.error();
}

}  // namespace

Result<Exit> run(const DiffCommand& command) {
  if (Result<bool> entered = enter({{command.before, command.after}, command.output, {}}); !entered) return entered.error();
  Result<Recording> before = read_recording(command.before);
  if (!before) return before.error();
  Result<Recording> after = read_recording(command.after);
  if (!after) return after.error();
  bool table = command.format == "text" || command.format == "json";
  Result<void> written = table ? write_table(command, *before, *after) : write_profile(command, *before, *after);
  if (!written) return written.error();
  return Exit::kOk;
}

}  // namespace dwell
