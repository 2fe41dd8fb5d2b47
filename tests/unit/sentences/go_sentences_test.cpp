// SPDX-License-Identifier: Apache-2.0
// Every sentence about goroutines, each in a situation in which it is true.
#include <gtest/gtest.h>

#include "tests/unit/ui/golden.h"
#include "userspace/go/goroutines/text.h"
#include "userspace/go/record/report_text.h"

namespace dwell {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

GoCall call(const std::string& function, std::uint32_t line) { return {function, "/src/app/main.go", line, false, false}; }

GoroutineGroup group(const std::string& state, std::uint64_t count, const std::string& function = "main.serve") {
  GoroutineGroup group;
  group.state = state;
  group.count = count;
  group.waits = true;
  group.calls = {call("runtime.gopark", 1), call(function, 20)};
  group.calls[0].hidden = true;
  group.creator = call("main.main", 30);
  GoroutineExample example;
  example.id = 7;
  example.parent = 1;
  group.examples = {example};
  return group;
}

GoroutineReport plain() {
  GoroutineReport report;
  report.pid = 10;
  report.program = "app";
  report.command_line = "app --port 0";
  report.go_version = "go1.24.4";
  report.time_monotonic_ns = 1000 * kSecond;
  report.look_ns = 700'000;
  report.figures.alive = 3;
  return report;
}

std::string scene(const std::string& title, const GoroutineReport& report) {
  return "==== " + title + " ====\n" + goroutines_text(report, {}) + "\n";
}

StuckFinding finding(std::size_t never, std::size_t abandoned, bool proved) {
  StuckFinding stuck;
  for (std::size_t i = 0; i < never; ++i) stuck.goroutines.insert(100 + i);
  for (std::size_t i = 0; i < abandoned; ++i) stuck.abandoned.insert(1000 + i);
  stuck.proved = proved;
  if (!proved) stuck.reservation = "goroutine 9 ran at each of the 8 looks, and what is in its registers was not seen";
  stuck.looks = proved ? 2 : 8;
  stuck.candidates = 312;
  stuck.copied_bytes = 3 << 20;
  stuck.took_ns = 40'000'000;
  return stuck;
}

std::string proofs() {
  std::string page;
  for (bool proved : {true, false}) {
    for (auto [never, abandoned] : {std::pair{0, 0}, {1, 0}, {50, 0}, {0, 1}, {0, 20}, {50, 20}}) {
      GoroutineReport report = plain();
      report.stuck = finding(static_cast<std::size_t>(never), static_cast<std::size_t>(abandoned), proved);
      if (never) report.groups.push_back(group("chan send", static_cast<std::uint64_t>(never), "main.early"));
      if (never) report.groups.back().stuck = true;
      if (abandoned) report.groups.push_back(group("chan receive", static_cast<std::uint64_t>(abandoned), "main.watch"));
      if (abandoned) report.groups.back().abandoned = true;
      page += scene(std::string(proved ? "proved: " : "not proved: ") + std::to_string(never) + " stuck, " +
                        std::to_string(abandoned) + " for lost contexts",
                    report);
    }
  }
  GoroutineReport report = plain();
  report.stuck = finding(0, 0, true);
  report.stuck->not_judged = {100, 5061, 3};
  return page + scene("what is not judged", report);
}

std::string waits() {
  GoroutineReport report = plain();
  auto add = [&](const std::string& state, auto change) {
    report.groups.push_back(group(state, 1));
    change(report.groups.back(), report.groups.back().examples[0].wait);
  };
  add("chan receive", [](auto&, GoWait& wait) { wait.channels = {{0xc000, false, 0, 16, true, 3, 1, {}}}; });
  add("chan send", [](auto&, GoWait& wait) { wait.channels = {{0xc000, true, 0, 0, false, 0, 1000, {}}}; });
  add("select", [](auto&, GoWait& wait) {
    wait.channels = {{0xc000, false, 0, 0, false, 1, 0, 1001 * kSecond}, {0xc100, false, 1, 1, false, 1, 0, 5}};
    wait.more_channels = 3;
  });
  add("sync.Mutex.Lock", [](auto&, GoWait& wait) { wait.lock = GoLock{"sync.Mutex", 0xc000, "locked, 3 wait"}; });
  add("semacquire", [](auto&, GoWait& wait) { wait.lock = GoLock{"", 0xc000, ""}; });
  add("IO wait", [](auto&, GoWait& wait) { wait.descriptor = GoDescriptor{5, false, "socket 5 to 127.0.0.1:6379"}; });
  add("IO wait", [](auto&, GoWait& wait) { wait.descriptor = GoDescriptor{6, true, ""}; });
  add("sleep", [](auto&, GoWait& wait) { wait.until_ns = 1003 * kSecond; });
  add("sleep", [](auto&, GoWait& wait) { wait.until_ns = 1; });
  add("select", [](GoroutineGroup& group, GoWait&) {
    group.calls.push_back(call("net/http.(*persistConn).readLoop", 2201));
    group.longest_wait_ns = 90 * kSecond;
  });
  add("running", [](GoroutineGroup& group, GoWait&) { group.stack_state = GoStackState::kRunning; });
  add("runnable", [](GoroutineGroup& group, GoWait&) { group.stack_state = GoStackState::kMoved; });
  add("waiting", [](GoroutineGroup& group, GoWait&) { group.stack_state = GoStackState::kBroken; });
  add("waiting", [](GoroutineGroup& group, GoWait&) { group.stack_state = GoStackState::kTooMany; });
  add("GC worker (idle)", [](GoroutineGroup& group, GoWait&) { group.of_runtime = true; });
  report.figures = {40, 15, 5, 1, 2, 3};
  report.note = "go1.99 is not known to dwell: taken for 1.27";
  report.no_heap = "the program keeps no heap profile";
  return "==== every wait ====\n" + goroutines_text(report, {.stacks = 20}) + "\n";
}

std::string contexts_and_timers() {
  GoroutineReport report = plain();
  ContextReport contexts;
  contexts.alive = 7;
  contexts.lost = 3;
  auto context = [&](GoContextKind kind, bool has_parent, bool lost, std::uint64_t deadline) {
    GoContextGroup group;
    group.kind = kind;
    group.parents = has_parent ? "cancel < background" : "background";
    group.has_parent = has_parent;
    group.count = 1;
    if (deadline) group.soonest_ns = group.latest_ns = deadline;
    group.lost = lost ? 1 : 0;
    contexts.groups.push_back(group);
  };
  context(GoContextKind::kCancel, true, true, 0);
  context(GoContextKind::kDeadline, false, true, 1060 * kSecond);
  context(GoContextKind::kCancel, false, true, 0);
  context(GoContextKind::kDeadline, true, false, 1);
  report.contexts = contexts;
  TimerReport timers;
  timers.pending = 4;
  timers.torn = 2;
  timers.useless_tickers = 1;
  timers.useless_timers = 2;
  auto timer = [&](GoTimerKind kind, std::uint64_t period, bool useless, std::uint64_t not_taken) {
    GoTimerGroup group;
    group.kind = kind;
    group.period_ns = period;
    group.count = 1;
    group.soonest_ns = group.latest_ns = 1010 * kSecond;
    group.not_taken = not_taken;
    if (useless) group.useless = 1;
    timers.groups.push_back(group);
  };
  timer(GoTimerKind::kChannel, kSecond, true, 0);
  timer(GoTimerKind::kChannel, 0, true, 0);
  timer(GoTimerKind::kChannel, 0, false, 0);
  timer(GoTimerKind::kChannel, 0, false, 1);
  timer(GoTimerKind::kContext, 0, false, 0);
  timer(GoTimerKind::kDescriptor, 0, false, 0);
  timer(GoTimerKind::kOther, 0, false, 0);
  report.timers = timers;
  std::string page = scene("contexts and timers", report);
  Collector collector;
  collector.live_bytes = 1 << 20;
  collector.heap_bytes = 2 << 20;
  collector.goal_bytes = 4 << 20;
  GoroutineReport young = plain();
  young.collector = collector;
  young.heap = HeapProfile();
  young.contention = {ContentionProfile()};
  young.contention[0].sites = {{}};
  page += scene("before the first collection, and ticks of unknown length", young);
  for (std::int32_t percent : {100, -1}) {
    young.collector->percent = percent;
    young.collector->cycles = 3;
    page += scene("GOGC " + std::to_string(percent), young);
  }
  return page;
}

std::string recorded() {
  GoReport report;
  report.version = "go1.24.4";
  report.looks = 6;
  report.last_ns = 60 * kSecond;
  report.goroutines = {10, 130, 10, 130, 120, true};
  GoCreatorReport creator;
  creator.creator = call("main.leak", 30);
  creator.count = report.goroutines;
  creator.state = "chan send";
  creator.calls = {call("main.early", 20)};
  creator.stuck = 50;
  creator.abandoned = 20;
  report.creators = {creator};
  report.lost = {60, 90, 0, 1, 2, 3};
  std::string page;
  for (GoStuck stuck : {GoStuck{{}, true, "", 2, 312, 0, 0}, GoStuck{{1, 2}, true, "", 2, 312, 0, 0, {5}, {100, 0, 0}},
                        GoStuck{{1}, false, "goroutine 9 ran at each of the 8 looks", 8, 312, 0, 0, {}, {}}}) {
    report.stuck = stuck;
    page += "==== at the end of a recording ====\n" + go_report_text(report, {}) + "\n";
  }
  return page;
}

TEST(Sentences, OfGoroutines) {
  expect_golden("go.txt", proofs() + waits() + contexts_and_timers() + recorded());
}

}  // namespace
}  // namespace dwell
