// SPDX-License-Identifier: Apache-2.0
#include "ui/export.h"

#include <unistd.h>

#include "userspace/commands/commands.h"
#include "userspace/commands/export_page.h"
#include "userspace/commands/output.h"
#include "userspace/commands/sandbox.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

Result<const View*> chosen_view(const ExportCommand& command, const Recording& recording) {
  if (command.view.name.empty()) return &default_view(recording);
  return find_view(command.view.name);
}

}  // namespace

Result<Exit> run(const ExportCommand& command) {
  Result<ExportFormat> format = ExportFormat::kSvg;
  if (!command.view.list && !is_page(command)) format = choose_format(command.format, command.output);
  if (!format) return format.error();
  if (Result<void> can = check_sources(command.sources, is_page(command)); !can) return can.error();
  if (command.view.list && command.path.empty()) return printed(write_output("", list_views(nullptr)));
  if (Result<bool> entered = enter({{command.path}, command.output, command.sources}); !entered)
    return entered.error();
  Result<Recording> recording = read_recording(command.path);
  if (!recording) return recording.error();
  if (command.view.list) return printed(write_output("", list_views(&*recording)));
  if (is_page(command)) return export_page(command, *recording);
  Result<const View*> view = chosen_view(command, *recording);
  if (!view) return view.error();
  Result<Profile> profile = profile_of(**view, *recording, command.filter);
  if (!profile) return profile.error();
  ExportOptions how;
  how.sample_type = command.sample_type;
  how.root_at_bottom = command.root_at_bottom;
  how.difference = (*view)->signed_values;
  Result<std::string> content = export_profile(*profile, *format, how);
  if (!content) return content.error();
  return printed(write_output(command.output, *content));
}

Result<Exit> run(const PrintAndExit& command) {
  bool mistake = command.exit != 0;
  if (::write(mistake ? STDERR_FILENO : STDOUT_FILENO, command.text.data(), command.text.size()) < 0)
    return Exit::kOutput;
  return static_cast<Exit>(command.exit);
}

}  // namespace dwell
