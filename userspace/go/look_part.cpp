// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/look_part.h"

#include "userspace/go/findings.h"
#include "userspace/go/goroutines/json.h"
#include "userspace/go/goroutines/text.h"
#include "userspace/go/record/snapshot.h"

namespace dwell {
namespace {

class GoLookPart : public LookPart {
 public:
  void declare(OptionSet& options) override {
    options.count("-n,--groups", groups_, "how many groups of goroutines to show with their stack (default: 20)");
    options.flag("--prove", prove_,
                 "also prove which goroutines can never wake; copies the parts of the heap that may hold pointers; exit code 8 if there are any");
    options.flag("--heap", heap_, "also show what the heap retains by call site, from the program's own profile, and what garbage collection costs");
    options.flag("--timers", timers_, "also list pending timers and tickers; with --prove, which of them are useless");
    options.flag("--contexts", contexts_, "also list contexts that are not cancelled; with --prove, which of them are lost");
    options.flag("--runtime", runtime_, "include the runtime's own goroutines and calls");
  }

  Result<LookAnswer> look(const LookRequest& request) override {
    Result<GoroutineReport> report =
        take_go_snapshot({request.pid, prove_, heap_, timers_, contexts_, request.output, request.command_line});
    if (!report) return report.error();
    LookAnswer answer;
    answer.content = request.json ? goroutines_json(*report)
                                  : goroutines_text(*report, {.style = request.style, .stacks = groups_, .runtime = runtime_});
    if (has_findings(*report)) answer.exit = Exit::kFound;
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

std::string in_short(pid_t pid, const TextStyle& style) {
  Result<GoroutineReport> report = take_go_snapshot({pid, false, false, false, false, "", ""});
  if (!report) return "";
  constexpr std::size_t kStacks = 5;
  return "\n" + goroutines_text(*report, {.style = style, .stacks = kStacks});
}

}  // namespace

LookCommand go_look_command() {
  LookCommand command;
  command.sentence = "the goroutines of a Go program, stripped or not: what each waits for, and who started it";
  command.examples =
      "dwell go 1234                    goroutines by stack, and what they wait for\n"
      "dwell go 1234 --prove            which of them can never wake\n"
      "dwell go 1234 --heap             and what the heap retains, by call site\n"
      "dwell go 1234 --prove --timers --contexts  useless tickers and lost contexts, too\n";
  command.json_page = "docs/goroutines-json.md";
  command.output = LookOutput::kRecording;
  command.in_short = in_short;
  command.findings = go_findings;
  command.make = []() -> std::unique_ptr<LookPart> { return std::make_unique<GoLookPart>(); };
  return command;
}

}  // namespace dwell
