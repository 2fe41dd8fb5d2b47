// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/subject.h"

#include "ui/words.h"
#include "userspace/base/text.h"
#include "userspace/go/codec.h"
#include "userspace/go/contexts/made_report.h"
#include "userspace/go/contexts/made_text.h"
#include "userspace/go/contexts/tracing.h"
#include "userspace/go/findings/findings.h"
#include "userspace/go/goroutines/json.h"
#include "userspace/go/goroutines/text.h"
#include "userspace/go/heap/alloc_tracing.h"
#include "userspace/go/heap/allocs_report.h"
#include "userspace/go/heap/allocs_text.h"
#include "userspace/go/heap/memory_ranges.h"
#include "userspace/go/look_part.h"
#include "userspace/go/record/look_report.h"
#include "userspace/go/record/profiles.h"
#include "userspace/go/record/report.h"
#include "userspace/go/record/report_text.h"
#include "userspace/go/record/tracing.h"
#include "userspace/go/waits/park_tracing.h"
#include "userspace/go/waits/parks_report.h"
#include "userspace/go/waits/parks_text.h"

namespace dwell {
namespace {

bool has_look(const Recording& recording) { return !go_of(recording).looks.empty(); }
bool has_heap(const Recording& recording) { return go_of(recording).allocs || !go_of(recording).profiles.empty(); }
bool has_parks(const Recording& recording) { return go_of(recording).parks.has_value(); }
bool has_contexts(const Recording& recording) { return go_of(recording).contexts.has_value(); }

// By samples, where the runtime keeps no profile of its own.
Result<Profile> heap(const Recording& recording, const ViewFilter&) {
  return go_of(recording).allocs ? go_allocs_profile(recording) : go_heap_profile(recording);
}

template <GoProfileKind kind>
bool has_contention(const Recording& recording) {
  for (const GoProfileLook& look : go_of(recording).profiles)
    if (look.kind == kind) return true;
  return false;
}

template <GoProfileKind kind>
Result<Profile> contention(const Recording& recording, const ViewFilter&) {
  return go_contention_profile(recording, kind);
}

std::vector<TracerLoader> tracers(const Chosen& chosen, const RecordOptions&, const Peers&) {
  std::vector<TracerLoader> tracers;
  if (chosen.has("contexts")) tracers.push_back(ContextTracing::load);
  if (chosen.has("heap")) tracers.push_back(AllocTracing::load);
  if (chosen.has("waits")) tracers.push_back(ParkTracing::load);
  if (chosen.has("goroutines") || chosen.has("proof"))
    tracers.push_back(GoTracing::loader({.looks = chosen.has("goroutines"), .prove = chosen.has("proof"), .asked_for = chosen.by_name}));
  return tracers;
}

std::string before(const Recording& recording, const SectionStyle& how, const Peers&) {
  std::string text;
  for (GoReport& report : go_reports(recording)) {
    if (go_of(recording).allocs) report.no_heap.clear();  // its samples are shown instead
    if (recording.processes.size() > 1) text += process_text(recording.processes[report.process]) + "\n";
    text += go_report_text(report, {.style = how.style, .sites = how.sites, .stacks = how.stacks});
  }
  return text;
}

// What to look at, a sentence each with what names the line; else the first paragraph of the section.
std::vector<std::string> sentences(const Recording& recording, const Peers& peers) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> all;
  std::vector<GoReport> reports = go_reports(recording);
  for (const GoReport& report : reports) {
    std::string of = reports.size() > 1 ? process_text(recording.processes[report.process]) + ": " : "";
    for (const Finding& finding : report.findings)
      if (all.size() < kMost) all.push_back(of + sentence_of(finding));
  }
  if (!all.empty() || recording.processes.size() > 1) return all;
  std::string text = before(recording, {.style = {}, .sites = 0, .stacks = 0}, peers);
  for (std::string_view line : split(text, '\n')) {
    if (line.empty() || all.size() == kMost) break;
    all.emplace_back(line);
  }
  return all;
}

std::string behind(const Recording& recording, const SectionStyle& how, const Peers&) {
  std::string text;
  if (go_of(recording).allocs) text += go_allocs_text(go_allocs_report(recording), how.style, how.sites);
  if (has_parks(recording)) text += go_parks_text(go_parks_report(recording), {.style = how.style, .sites = how.sites});
  if (has_contexts(recording))
    text += made_contexts_text(go_contexts_report(recording),
                               {.style = how.style, .sites = how.sites, .stacks = how.stacks});
  return text;
}

void add_json(const Recording& recording, const Peers&, Json& whole) {
  if (go_of(recording).allocs) whole["go_heap"] = go_allocs_json(go_allocs_report(recording));
  if (has_look(recording)) whole["go"] = go_reports_json(go_reports(recording));
  if (has_parks(recording)) whole["go_blocked"] = go_parks_json(go_parks_report(recording));
  if (has_contexts(recording)) whole["contexts"] = made_contexts_json(go_contexts_report(recording));
}

Result<std::string> look_text(const Recording& recording, const SectionStyle& how, const Peers&) {
  GoroutineReport report = report_of(recording, go_of(recording).looks.back());
  return goroutines_text(report, {.style = how.style, .stacks = how.sites});
}

Result<std::string> look_json(const Recording& recording, const Peers&) {
  return goroutines_json(report_of(recording, go_of(recording).looks.back()));
}

}  // namespace

Subject go_subject() {
  constexpr std::string_view kHow = "dwell record of a Go program";
  Subject subject;
  subject.name = "go";
  subject.sentence = "goroutines, heap, contexts and waits of Go programs";
  subject.chunks = kGoChunks;
  subject.views = {
      {"goroutines", "goroutines by stack, in the last look at them", has_look, kHow,
       [](const Recording& recording, const ViewFilter&) { return goroutine_profile(recording); }},
      {"heap", "what its heap retains, by its own profile or by samples", has_heap, kHow, heap},
      {"mutex", "contention for its locks, by its own profile", has_contention<GoProfileKind::kMutex>, kHow,
       contention<GoProfileKind::kMutex>},
      {"block", "where goroutines blocked, by its own profile", has_contention<GoProfileKind::kBlock>, kHow,
       contention<GoProfileKind::kBlock>},
      {"waits", "for how long goroutines were parked, and where", has_parks, "dwell record --go-blocked",
       [](const Recording& recording, const ViewFilter&) -> Result<Profile> { return go_parks_profile(recording); }},
      {"contexts", "contexts by the call site that made them", has_contexts, "dwell record --contexts",
       [](const Recording& recording, const ViewFilter&) -> Result<Profile> { return go_contexts_profile(recording); }}};
  subject.followed = {
      {"goroutines", "snapshots of all goroutines, of the program's own profiles and its garbage collector", true},
      {"proof", "at the end: which goroutines can never wake, which tickers are useless, which contexts are lost", true},
      {"heap", "samples of what it allocates and retains, if it keeps no heap profile itself", true},
      {"waits", "for how long goroutines are parked, where, and why", false, "--go-blocked"},
      {"contexts", "which call sites make contexts, and which are never cancelled", false, "--contexts"}};
  subject.of_target = has_look;
  subject.tracers = tracers;
  subject.look = go_look_command();
  subject.runtime_memory = go_memory_of;
  subject.before = before;
  subject.behind = behind;
  subject.sentences = sentences;
  subject.json = add_json;
  subject.has_look = has_look;
  subject.look_text = look_text;
  subject.look_json = look_json;
  return subject;
}

}  // namespace dwell
