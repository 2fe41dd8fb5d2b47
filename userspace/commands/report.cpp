// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "ui/profile_text.h"
#include "ui/text_style.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/commands/sandbox.h"
#include "userspace/memory/json.h"
#include "userspace/memory/processes_text.h"
#include "userspace/memory/subject.h"
#include "userspace/memory/text.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/subjects.h"

namespace dwell {
namespace {

SectionStyle style_of(const ReportCommand& command) {
  return {.style = text_style_of(STDOUT_FILENO), .sites = command.sites, .stacks = command.stacks};
}

Result<Exit> report_view(const ReportCommand& command, const Recording& recording) {
  Result<const View*> view = find_view(command.view.name);
  if (!view) return view.error();
  Result<Profile> profile = profile_of(**view, recording, command.filter);
  if (!profile) return profile.error();
  ProfileTextOptions how{text_style_of(STDOUT_FILENO), command.sites, (*view)->signed_values};
  return printed(write_output("", command.json ? profile_json(*profile) : profile_text(*profile, how)));
}

Result<Exit> report_look(const ReportCommand& command, const Recording& recording, const Subject& subject) {
  Result<std::string> content =
      command.json ? subject.look_json(recording, peers()) : subject.look_text(recording, style_of(command), peers());
  if (!content) return content.error();
  return printed(write_output("", *content));
}

// What the text adds up, for scripts.
void add_programs(const ReportCommand& command, const Recording& recording, MemoryFilter filter, Json& others) {
  filter.by_program = true;
  if (recording.processes.size() < 2) return;
  Result<MemoryReport> summed = memory_report(recording, filter, command.sort, command.group);
  if (summed && adds_up_processes(*summed)) others["by_program"] = by_program_json(*summed);
}

// `with_others`: and what the other subjects say.
Result<Exit> report_memory(const ReportCommand& command, const Recording& recording, bool with_others) {
  if (Result<void> range = check_range(recording, command.filter); !range) return range.error();
  Result<MemoryFilter> filter = memory_filter(command.filter, recording);
  if (!filter) return filter.error();
  filter->by_program = !command.json;
  Result<MemoryReport> report = memory_report(recording, *filter, command.sort, command.group);
  if (!report) return report.error();
  return printed(write_output("", [&](const TextSink& sink) {
    if (command.json) {
      Json others = Json::object();
      add_programs(command, recording, *filter, others);
      for (const Subject& subject : subjects())
        if (subject.json && with_others) subject.json(recording, peers(), others);
      return write_memory_json(*report, others, sink);
    }
    SectionStyle how = style_of(command);
    sink(memory_text(*report, {.style = how.style,
                               .sites = how.sites,
                               .stacks = how.stacks,
                               .raw = command.raw,
                               .others = with_others ? sentences_of(recording) : std::vector<std::string>(),
                               .sections = with_others ? text_behind(recording, how) : "",
                               .first = with_others ? text_before(recording, how) : "",
                               .followed = follows_memory(recording)}));
  }));
}

// Everything that the recording has of one subject: its last look, and what was followed.
Result<Exit> report_one(const ReportCommand& command, const Recording& recording) {
  Result<const Subject*> found = find_subject(command.only);
  if (!found) return found.error();
  const Subject& subject = **found;
  if (!subject.has_look) return report_memory(command, recording, false);
  bool looked = subject.has_look(recording);
  if (looked && (command.json || only_look(recording))) return report_look(command, recording, subject);
  SectionStyle how = style_of(command);
  how.with_look = looked;
  std::string text;
  if (looked) {
    Result<std::string> look = subject.look_text(recording, how, peers());
    if (!look) return look.error();
    text = *look;
  }
  for (auto section : {subject.before, subject.behind})
    if (section) text += section(recording, how, peers());
  if (text.empty())
    return Error{"this recording has nothing of " + command.only, "make one that has: " + std::string(subject.views[0].how),
                 Exit::kUsage};
  if (!command.json) return printed(write_output("", text));
  Json whole = Json::object();
  subject.json(recording, peers(), whole);
  return printed(write_output("", json_text(whole)));
}

}  // namespace

Result<Exit> run(const ReportCommand& command) {
  if (command.view.list && command.path.empty()) return printed(write_output("", list_views(nullptr)));
  if (Result<bool> entered = enter({{command.path}, "", {}}); !entered) return entered.error();
  Result<Recording> recording = read_recording(command.path);
  if (!recording) return recording.error();
  if (command.view.list) return printed(write_output("", list_views(&*recording)));
  if (!command.view.name.empty()) return report_view(command, *recording);
  if (!command.only.empty()) return report_one(command, *recording);
  if (const Subject* subject = only_look(*recording)) return report_look(command, *recording, *subject);
  return report_memory(command, *recording, true);
}

}  // namespace dwell
