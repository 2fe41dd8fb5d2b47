// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/export_page.h"

#include <sys/stat.h>

#include <cerrno>

#include "ui/escape.h"
#include "ui/html_page.h"
#include "userspace/commands/output.h"
#include "userspace/memory/json.h"
#include "userspace/memory/page.h"
#include "userspace/memory/processes_text.h"
#include "userspace/memory/subject.h"
#include "userspace/memory/text.h"
#include "userspace/subjects/subjects.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

// A page has every view and every range: what would choose one has no effect, and so it is refused.
Result<void> check_options(const ExportCommand& command) {
  if (command.view.name.empty() && command.sample_type.empty() && !command.root_at_bottom && command.filter == ViewFilter())
    return {};
  return Error{"export: an HTML page has every view of the recording, and all of its time",
               "leave out --view, filters and what is for flame graphs, and choose in the page", Exit::kUsage};
}

// Each subject's JSON of its last look, and what it adds to the report's.
Json subjects_json(const Recording& recording) {
  Json all = Json::object();
  for (const Subject& subject : subjects()) {
    Json one = Json::object();
    if (subject.json) subject.json(recording, peers(), one);
    if (subject.has_look && subject.has_look(recording)) {
      Result<std::string> look = subject.look_json(recording, peers());
      if (look) one["look"] = Json::parse(*look, nullptr, false);
    }
    if (!one.empty()) all[std::string(subject.name)] = std::move(one);
  }
  return all;
}

// The report's JSON without its call sites: those stand in columns.
Json report_json(MemoryReport& report) {
  std::vector<SiteReport> sites;
  sites.swap(report.sites);
  Json json = Json::parse(memory_json(report), nullptr, false);
  sites.swap(report.sites);
  json.erase("sites");
  return json;
}

// None where nothing is added up.
std::optional<MemoryReport> by_program(const Recording& recording) {
  MemoryFilter filter;
  filter.by_program = true;
  if (recording.processes.size() < 2) return std::nullopt;
  Result<MemoryReport> summed = memory_report(recording, filter);
  if (!summed || !adds_up_processes(*summed)) return std::nullopt;
  return std::move(*summed);
}

std::string title_of(const Recording& recording) {
  if (recording.processes.empty()) return "dwell";
  const ProcessInfo& first = recording.processes.front();
  return first.name + " (" + std::to_string(first.pid) + ") - dwell";
}

MemoryTextOptions text_options(const Recording& recording) {
  SectionStyle how{.style = {}, .sites = kPageTextRows, .stacks = kPageTextStacks};
  return {.style = how.style,
          .sites = how.sites,
          .stacks = how.stacks,
          .others = sentences_of(recording),
          .sections = text_behind(recording, how),
          .first = text_before(recording, how),
          .followed = follows_memory(recording)};
}

}  // namespace

bool is_page_name(const std::string& output) { return output.ends_with(".html") || output.ends_with(".htm"); }

bool is_page(const ExportCommand& command) {
  return command.format.empty() ? is_page_name(command.output) : command.format == "html";
}

Result<void> check_sources(const std::vector<std::string>& folders, bool for_page) {
  if (!folders.empty() && !for_page)
    return Error{"--sources: only an HTML page shows lines of sources", "name one: -o report.html",
                 Exit::kUsage};
  for (const std::string& folder : folders) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0) return system_error("--sources " + printable(folder), errno);
    if (!S_ISDIR(status.st_mode))
      return Error{"--sources " + printable(folder) + ": not a folder", "", Exit::kUsage};
  }
  return {};
}

Result<Exit> export_page(const ExportCommand& command, const Recording& recording) {
  if (Result<void> allowed = check_options(command); !allowed) return allowed.error();
  Result<MemoryReport> report = memory_report(recording, {});
  if (!report) return report.error();
  HtmlPage page;
  page.title = title_of(recording);
  const MemoryTextOptions how = text_options(recording);
  std::optional<MemoryReport> summed = by_program(recording);
  const Subject* look = only_look(recording);
  Result<std::string> text =
      look ? look->look_text(recording, {.sites = kPageTextRows, .stacks = kPageTextStacks}, peers()) : memory_text(summed ? *summed : *report, how);
  if (!text) return text.error();
  page.text = std::move(*text);
  page.data = {{"format", "dwell page"}, {"version", 1}, {"file", printable(base_name(command.path))}};
  page.data["report"] = report_json(*report);
  add_memory(recording, *report, how, page, summed ? &*summed : nullptr, command.sources);
  if (summed) {
    summed->sites.clear();  // added up in the page
    page.data["memory"]["sums"] = by_program_json(*summed)["totals"];
  }
  page.data["only_look"] = look != nullptr;
  if (look) page.data["memory"].erase("summary");  // it was not recorded
  page.data["subjects"] = subjects_json(recording);
  return printed(write_output(command.output, html_page(page)));
}

}  // namespace dwell
