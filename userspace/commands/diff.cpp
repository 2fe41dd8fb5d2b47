// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "ui/go_report_text.h"
#include "ui/memory_json.h"
#include "ui/memory_text.h"
#include "ui/text_style.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/recording/reader.h"

namespace dwell {
namespace {

Result<std::string> as_table(const DiffCommand& command, const Recording& before, const Recording& after) {
  Result<MemoryDiff> diff = memory_diff(before, after, command.filter);
  if (!diff) return diff.error();
  std::optional<GoDiff> of_go = go_diff(before, after);
  if (command.format == "json") {
    Json whole = Json::parse(memory_diff_json(*diff));
    if (of_go) whole["go"] = go_diff_json(*of_go);
    return json_text(whole);
  }
  TextStyle style = command.output.empty() ? text_style_of(STDOUT_FILENO) : TextStyle{};
  std::string first = of_go ? go_diff_text(*of_go, {.style = style, .sites = command.sites}) : "";
  return memory_diff_text(*diff, {.style = style, .sites = command.sites, .first = first});
}

Result<std::string> as_profile(const DiffCommand& command, const Recording& before, const Recording& after) {
  Result<ExportFormat> format = choose_format(command.format, command.output);
  if (!format) return format.error();
  Result<Profile> profile = memory_diff_profile(before, after, command.view, command.filter);
  if (!profile) return profile.error();
  ExportOptions how;
  how.difference = true;
  return export_profile(*profile, *format, how);
}

}  // namespace

Result<Exit> run(const DiffCommand& command) {
  Result<Recording> before = read_recording(command.before);
  if (!before) return before.error();
  Result<Recording> after = read_recording(command.after);
  if (!after) return after.error();
  bool table = command.format == "text" || command.format == "json";
  Result<std::string> content = table ? as_table(command, *before, *after) : as_profile(command, *before, *after);
  if (!content) return content.error();
  if (Result<void> written = write_output(command.output, *content); !written) return written.error();
  return Exit::kOk;
}

}  // namespace dwell
