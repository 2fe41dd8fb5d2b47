// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "userspace/threads/blocked_text.h"
#include "userspace/clocks/json.h"
#include "userspace/clocks/text.h"
#include "userspace/go/contexts/made_text.h"
#include "userspace/go/heap/allocs_text.h"
#include "userspace/go/waits/parks_text.h"
#include "userspace/go/record/report_text.h"
#include "userspace/go/goroutines/json.h"
#include "userspace/go/goroutines/text.h"
#include "userspace/memory/json.h"
#include "userspace/memory/text.h"
#include "ui/words.h"
#include "ui/text_style.h"
#include "userspace/threads/sites_text.h"
#include "userspace/threads/text.h"
#include "userspace/clocks/report.h"
#include "userspace/commands/commands.h"
#include "userspace/commands/output.h"
#include "userspace/commands/sandbox.h"
#include "userspace/go/record/look_report.h"
#include "userspace/memory/block_sites.h"
#include "userspace/subjects/chunks.h"
#include "userspace/subjects/kinds.h"
#include "userspace/threads/part.h"
#include "userspace/go/part.h"

namespace dwell {
namespace {

Result<Exit> report_threads(const ReportCommand& command, const Recording& recording) {
  Result<ThreadReport> report = thread_report(recording, {}, &recorded_block_sites());
  if (!report) return report.error();
  std::string content = command.json ? threads_json(*report)
                                     : threads_text(*report, {.style = text_style_of(STDOUT_FILENO),
                                                              .groups = command.sites});
  if (Result<void> written = write_output("", content); !written) return written.error();
  return Exit::kOk;
}

// What a recording that followed threads tells of them besides.
std::string threads_of(const ReportCommand& command, const Recording& recording, const TextStyle& style) {
  std::string text;
  if (!threads_of(recording).ticks.empty())
    text += thread_sites_text(thread_sites(recording), {.style = style, .sites = command.sites, .stacks = command.stacks});
  if (!threads_of(recording).blocked.sites.empty())
    text += blocked_text(blocked_report(recording), {.style = style, .sites = command.sites, .stacks = command.stacks});
  if (go_of(recording).allocs) text += go_allocs_text(go_allocs_report(recording), style, command.sites);
  if (go_of(recording).parks) text += go_parks_text(go_parks_report(recording), {.style = style, .sites = command.sites});
  if (go_of(recording).contexts)
    text += made_contexts_text(go_contexts_report(recording),
                               {.style = style, .sites = command.sites, .stacks = command.stacks});
  text += looks_text(look_summaries(recording), style);
  if (Result<ThreadReport> last = thread_report(recording, {}, &recorded_block_sites())) text += thread_verdicts_text(*last, style);
  return text;
}

Json others_of(const Recording& recording) {
  Json whole = Json::object();
  if (go_of(recording).allocs) whole["go_heap"] = go_allocs_json(go_allocs_report(recording));
  if (!go_of(recording).looks.empty()) whole["go"] = go_reports_json(go_reports(recording));
  if (go_of(recording).parks) whole["go_blocked"] = go_parks_json(go_parks_report(recording));
  if (go_of(recording).contexts) whole["contexts"] = made_contexts_json(go_contexts_report(recording));
  if (threads_of(recording).ticks.empty()) return whole;
  whole["thread_sites"] = thread_sites_json(thread_sites(recording));
  if (!threads_of(recording).blocked.sites.empty()) whole["blocked"] = blocked_json(blocked_report(recording));
  whole["looks"] = looks_json(look_summaries(recording));
  return whole;
}

// One look that was kept reads as it did when it was taken.
Result<Exit> report_goroutines(const ReportCommand& command, const Recording& recording) {
  GoroutineReport report = report_of(recording, go_of(recording).looks.back());
  GoroutinesTextOptions options{.style = text_style_of(STDOUT_FILENO), .stacks = command.sites};
  std::string content = command.json ? goroutines_json(report) : goroutines_text(report, options);
  Result<void> written = write_output("", content);
  return written ? Result<Exit>(Exit::kOk) : written.error();
}

Result<Exit> report_clocks(const ReportCommand& command, const Recording& recording) {
  Result<ClocksReport> report = clocks_report(recording);
  if (!report) return report.error();
  std::string content = command.json ? clocks_json(*report)
                                     : clocks_text(*report, {.style = text_style_of(STDOUT_FILENO),
                                                             .sites = command.sites,
                                                             .stacks = command.stacks});
  if (Result<void> written = write_output("", content); !written) return written.error();
  return Exit::kOk;
}

}  // namespace

std::string go_programs_text(const Recording& recording, const TextStyle& style, std::size_t sites, std::size_t stacks) {
  std::string text;
  for (const GoReport& report : go_reports(recording)) {
    if (recording.processes.size() > 1) text += process_text(recording.processes[report.process]) + "\n";
    text += go_report_text(report, {.style = style, .sites = sites, .stacks = stacks});
  }
  return text;
}

Result<Exit> run(const ReportCommand& command) {
  if (Result<bool> entered = enter({{command.path}, "", {}}); !entered) return entered.error();
  Result<Recording> recording = read_recording(command.path);
  if (!recording) return recording.error();
  if (command.clocks) return report_clocks(command, *recording);
  if (command.threads || one_look_at_threads(*recording)) return report_threads(command, *recording);
  if (one_look_at_go(*recording)) return report_goroutines(command, *recording);
  Result<MemoryReport> report = memory_report(*recording, command.filter, command.sort, command.group);
  if (!report) return report.error();
  TextStyle style = text_style_of(STDOUT_FILENO);
  Result<void> written = write_output("", [&](const TextSink& sink) {
    if (command.json) return write_memory_json(*report, others_of(*recording), sink);
    sink(memory_text(*report, {.style = style,
                               .sites = command.sites,
                               .stacks = command.stacks,
                               .sections = threads_of(command, *recording, style),
                               .first = go_programs_text(*recording, style, command.sites, command.stacks)}));
  });
  if (!written) return written.error();
  return Exit::kOk;
}

}  // namespace dwell
