// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/look_part.h"

#include <fmt/core.h>

#include "ui/escape.h"
#include "ui/words.h"
#include "userspace/go/goroutines/json.h"
#include "userspace/go/goroutines/text.h"
#include "userspace/go/record/snapshot.h"
#include "userspace/go/runtime/module.h"

namespace dwell {
namespace {

class GoLookPart : public LookPart {
 public:
  void declare(OptionSet& options) override {
    options.count("-n,--groups", groups_, "how many groups of goroutines to show with their stack (default: 20)");
    options.flag("--prove", prove_,
                 "look until it is certain which goroutines can never wake, 8 times at most; exit code 8 if there are any");
    options.flag("--heap", heap_, "also show what the heap retains by call site, from the program's own profile, and what garbage collection costs");
    options.flag("--timers", timers_, "also list pending timers and tickers, and which of them are useless");
    options.flag("--contexts", contexts_, "also list contexts that are not cancelled, and which of them are lost");
    options.flag("--runtime", runtime_, "include the runtime's own goroutines and calls");
  }

  Result<LookAnswer> look(const LookRequest& request) override {
    Result<GoroutineReport> report =
        take_go_snapshot({.pid = request.pid, .prove = prove_, .heap = heap_, .timers = timers_, .contexts = contexts_, .findings = true,
                          .insist = prove_ || timers_ || contexts_, .output = request.output, .command_line = request.command_line});
    if (!report) return report.error();
    LookAnswer answer;
    answer.content = request.json ? goroutines_json(*report)
                                  : goroutines_text(*report, {.style = request.style, .stacks = groups_, .runtime = runtime_});
    if (prove_ && has_findings(*report)) answer.exit = Exit::kFound;
    return answer;
  }

 private:
  // Useless timers end by themselves; any server with timeouts has some.
  static bool has_findings(const GoroutineReport& report) {
    return (report.stuck && report.stuck->any_stuck()) || (report.timers && report.timers->useless_tickers > 0) ||
           (report.contexts && report.contexts->lost > 0);
  }

  std::size_t groups_ = 20;
  bool prove_ = false, heap_ = false, timers_ = false, contexts_ = false, runtime_ = false;
};

Findings findings_of(GoroutineReport report) {
  Findings result;
  std::uint64_t all = 0;
  for (const GoroutineGroup& group : report.groups) all += group.of_runtime ? 0 : group.count;
  result.looked_at = fmt::format("{} ({})", counted(all, "goroutine"), report.go_version);
  for (const std::string& part : report.not_seen) result.not_seen += (result.not_seen.empty() ? "" : "; ") + part;
  result.findings = std::move(report.findings);
  return result;
}

std::optional<Findings> go_findings(const LookRequest& request) {
  Result<GoroutineReport> report = take_go_snapshot(
      {.pid = request.pid, .findings = true, .insist = false, .output = "", .command_line = request.command_line});
  if (report) return findings_of(std::move(*report));
  if (!has_go_code(request.pid)) return std::nullopt;
  return Findings{"", "goroutines: " + report.error().what, {}};
}

std::string in_short(pid_t pid, const TextStyle& style) {
  Result<GoroutineReport> report = take_go_snapshot({.pid = pid, .output = "", .command_line = ""});
  if (!report && !has_go_code(pid)) return "";
  if (!report) return "\n" + style.paragraph(Paint::kWarning, "Goroutines were not looked at: " + printable(report.error().what) + ".");
  constexpr std::size_t kStacks = 5;
  return "\n" + goroutines_text(*report, {.style = style, .stacks = kStacks});
}

}  // namespace

LookCommand go_look_command() {
  LookCommand command;
  command.sentence = "a Go program, stripped or not: what to look at first, what each goroutine waits for, and who started it";
  command.examples =
      "dwell go 1234                    what to look at first, then goroutines by stack\n"
      "dwell go 1234 --prove            until it is certain which of them can never wake\n"
      "dwell go 1234 --heap             and what the heap retains, by call site\n"
      "dwell go 1234 --timers --contexts  pending timers and contexts, too\n";
  command.json_page = "docs/goroutines-json.md";
  command.output = LookOutput::kRecording;
  command.in_short = in_short;
  command.findings = go_findings;
  command.make = []() -> std::unique_ptr<LookPart> { return std::make_unique<GoLookPart>(); };
  return command;
}

}  // namespace dwell
