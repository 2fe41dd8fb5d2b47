// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>

#include "ui/export.h"
#include "ui/profile_text.h"
#include "ui/text_style.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/difference_page.h"
#include "userspace/commands/export_page.h"
#include "userspace/commands/output.h"
#include "userspace/commands/sandbox.h"
#include "userspace/go/record/report_text.h"
#include "userspace/memory/json.h"
#include "userspace/memory/subject.h"
#include "userspace/memory/text.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/subjects.h"
#include "userspace/views/profile_diff.h"

namespace dwell {
namespace {

Result<void> write_table(const DiffCommand& command, const Recording& before, const Recording& after) {
  Result<MemoryFilter> filter = memory_filter(command.filter, before);
  if (!filter) return filter.error();
  Result<MemoryDiff> diff = memory_diff(before, after, *filter);
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

Result<Profile> difference_of(const DiffCommand& command, const Recording& before, const Recording& after) {
  Result<const View*> view = find_view(command.view.name.empty() ? "memory:retained" : command.view.name);
  if (!view) return view.error();
  ViewFilter filter = command.filter;
  filter.min_bytes = 0;  // what is small in both may have grown all the same
  const std::string& name = command.view.name;
  bool of_memory = name.empty() || name.starts_with("memory:") || memory_view_named(name);
  if (filter.kind.empty() && of_memory) filter.kind = name_of(std::min(usual_kind(before), usual_kind(after)));
  Result<Profile> first = profile_of(**view, before, filter), second = profile_of(**view, after, filter);
  if (!first) return first.error().because_of(command.before);
  if (!second) return second.error().because_of(command.after);
  return profile_difference(*first, *second, command.filter.min_bytes);
}

Result<void> write_difference(const DiffCommand& command, const Recording& before, const Recording& after) {
  Result<Profile> difference = difference_of(command, before, after);
  if (!difference) return difference.error();
  if (command.format == "json") return write_output(command.output, profile_json(*difference));
  if (command.format == "text") {
    TextStyle style = command.output.empty() ? text_style_of(STDOUT_FILENO) : TextStyle{};
    return write_output(command.output, profile_text(*difference, {style, command.sites, true}));
  }
  Result<ExportFormat> format = choose_format(command.format, command.output);
  if (!format) return format.error();
  ExportOptions how;
  how.difference = true;
  Result<std::string> content = export_profile(*difference, *format, how);
  return content ? write_output(command.output, *content) : content.error();
}

}  // namespace

Result<Exit> run(const DiffCommand& asked) {
  DiffCommand command = asked;
  if (command.format.empty() && is_page_name(command.output)) command.format = "html";
  if (command.format.empty() && !export_format_of_file(command.output)) command.format = "text";
  if (Result<void> can = check_sources(command.sources, command.format == "html"); !can) return can.error();
  if (Result<bool> entered = enter({{command.before, command.after}, command.output, command.sources});
      !entered)
    return entered.error();
  Result<Recording> before = read_recording(command.before);
  if (!before) return before.error();
  Result<Recording> after = read_recording(command.after);
  if (!after) return after.error();
  if (command.view.list) return printed(write_output("", list_views(&*after)));
  if (command.format == "html") return printed(write_difference_page(command, *before, *after));
  bool whole = command.view.name.empty() && (command.format == "text" || command.format == "json");
  return printed(whole ? write_table(command, *before, *after) : write_difference(command, *before, *after));
}

}  // namespace dwell
